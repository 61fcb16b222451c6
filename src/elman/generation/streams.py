"""Many texts without end, read side by side by one network.

It knows what a `TextStream` knows.
"""

from collections.abc import Sequence

import torch
from torch.nn.utils.rnn import pad_sequence

from elman.data.stream import Symbols
from elman.generation.kept import Kept, Read
from elman.generation.side_by_side import SideBySide
from elman.generation.stream import PIECE, TextStream, most_probable, said_of

SYMBOLS = 4096
"""Symbols that are read at once at most, of all texts together: their scores over the vocabulary lie side by side."""


class TextStreams(SideBySide[Symbols, Read]):
    """Reads texts. A state has the recurrent state, and the scores of the next symbol."""

    def __init__(self, stream: TextStream) -> None:
        """Take over a stream that has read nothing yet."""
        super().__init__(stream.network)
        self._stream, self._unit, self.fresh = stream, stream.unit, stream.state

    def symbols(self, text: str) -> Symbols:
        """Cut a text into symbols."""
        return self._unit.encode(text)

    def expected(self, state: Kept, count: int) -> list[tuple[str, float]]:
        """The most probable next symbols, as `TextStream.expected` says them."""
        return most_probable(self._unit, state["scores"], count)

    def read(self, feeds: Sequence[tuple[Kept, Symbols]]) -> list[Read]:
        """Read on from each state the symbols beside it, PIECE of them at most."""
        if not all(0 < len(symbols) <= PIECE for _, symbols in feeds):
            raise ValueError(f"each text takes 1 to {PIECE} symbols at a time")
        if len(feeds) == 1:
            return [self._alone(*feeds[0])]
        found: list[Read] = [Read([], {})] * len(feeds)
        for group in _groups([len(symbols) for _, symbols in feeds]):
            for place, read in zip(group, self._together([feeds[k] for k in group]), strict=True):
                found[place] = read
        return found

    def _alone(self, state: Kept, symbols: Symbols) -> Read:
        self._stream.state = state
        said = self._stream.read(symbols)
        return Read(said, self._stream.state)

    def _together(self, feeds: Sequence[tuple[Kept, Symbols]]) -> list[Read]:
        rows = [torch.from_numpy(symbols.astype("int64")) for _, symbols in feeds]
        lengths = [len(row) for row in rows]
        with torch.inference_mode():
            features = self._network.reader(pad_sequence(rows).to(self._device))
            # Without padding, which is not worth a product with the whole vocabulary.
            line, carried = self._scan(features, [state for state, _ in feeds], lengths)
            scores = self._network.head(line).cpu()
        told = zip(rows, scores.split(lengths), feeds, carried, strict=True)
        return [
            Read(
                said_of(row, torch.cat([state["scores"].unsqueeze(0), scored])[:-1]),
                own | {"scores": scored[-1].clone()},
            )
            for row, scored, (state, _), own in told
        ]


def _groups(lengths: Sequence[int]) -> list[list[int]]:
    """The places of texts of similar length, SYMBOLS in a group at most when the shorter ones are padded."""
    groups: list[list[int]] = []
    for place in sorted(range(len(lengths)), key=lambda k: lengths[k]):
        if groups and (len(groups[-1]) + 1) * lengths[place] <= SYMBOLS:
            groups[-1].append(place)
        else:
            groups.append([place])
    return groups
