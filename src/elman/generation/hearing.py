"""Many sounds without end, heard side by side by one network.

It knows a network with a reader of recordings, one recurrence of one direction and one head, and the modalities of both
ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from elman.errors import UsageError
from elman.generation import kept
from elman.generation.kept import Kept
from elman.generation.side_by_side import SideBySide
from elman.modalities.recordings import STEP, Recordings
from elman.modalities.transcripts import Transcripts

UNFINISHED = 3
"""Bytes of a character in UTF-8 that may have come without its last one."""


class Sound(NamedTuple):
    """What is heard next: samples (N,) between -1 and 1, and whether the sound ends with them."""

    samples: Tensor
    end: bool = False


@dataclass(frozen=True)
class Heard:
    """What came of hearing on.

    Attributes:
        text: what was told meanwhile.
        state: all that was heard, now; that of nothing once a sound has ended.

    """

    text: str
    state: Kept


class Listener(SideBySide[Sound, Heard]):
    """Hears sounds.

    A state has the samples that make no frame yet, the frames that make no time step yet, the recurrent state, the last
    symbol and how many samples there were, and the bytes of a character whose others are to come.

    Attributes:
        rate: samples a second.

    """

    def __init__(self, network: Any, recordings: Recordings, transcripts: Transcripts) -> None:
        """Begin.

        Args:
            network: in eval mode, its recurrence of one direction.
            recordings: how sounds become frames.
            transcripts: what its symbols mean.

        Raises:
            UsageError: if the network hears recordings from both ends.

        """
        if network.recurrence.bidirectional:
            raise UsageError(
                "this run hears every recording from both ends, so it needs the end before it can begin; train one "
                "with --no-bidirectional to hear a stream"
            )
        super().__init__(network)
        self._recordings, self._transcripts = recordings, transcripts
        self._bank, layout = recordings.filterbank, recordings.layout
        self._silence = torch.zeros(layout.stride, layout.bands)  # before the first frame, and behind the last
        self.rate = layout.rate
        self.fresh = self._begun()

    def check(self, state: Kept) -> None:
        """Raise UsageError where a state is not one of this network."""
        stride = self._recordings.layout.stride
        sizes = {"samples": (0, self._bank.window - 1), "frames": (stride, 2 * stride), "bytes": (0, UNFINISHED)}
        kept.check(state, self.fresh, sizes)
        last, heard = state["counts"].tolist()
        if not 0 <= last <= self._transcripts.blank or heard < 0:
            raise UsageError(
                f"the state's tensor 'counts' holds {last} and {heard}, which no stream of this run has; send it as it "
                "was saved"
            )

    @torch.inference_mode()
    def read(self, feeds: Sequence[tuple[Kept, Sound]]) -> list[Heard]:
        """Hear on from each state what stands beside it."""
        samples = [self._samples(*feed) for feed in feeds]
        found = self._frames(samples)
        read = [
            torch.cat([state["frames"], frames, self._silence[: len(self._silence) * sound.end]])
            for (state, sound), frames in zip(feeds, found, strict=True)
        ]
        reader = self._network.reader
        steps = [max(0, (len(frames) - reader.width) // reader.stride + 1) for frames in read]
        said = self._said([state for state, _ in feeds], read, steps)
        return [
            self._heard(
                feed,
                {"samples": row[len(frames) * self._bank.hop :], "frames": seen[count * reader.stride :], **carried},
                symbols,
            )
            for feed, row, frames, seen, count, (symbols, carried) in zip(
                feeds, samples, found, read, steps, said, strict=True
            )
        ]

    def _begun(self) -> dict[str, Tensor]:
        nothing = {"samples": torch.zeros(0), "frames": self._silence, "bytes": torch.zeros(0, dtype=torch.uint8)}
        counts = torch.tensor([self._transcripts.blank, 0])
        return nothing | {"counts": counts} | kept.begun(self._network.recurrence)

    def _samples(self, state: Kept, sound: Sound) -> Tensor:
        """The samples that have made no frame yet; what ends within the first window is followed by silence."""
        samples = torch.cat([state["samples"], sound.samples])
        all_in_all = int(state["counts"][1]) + len(sound.samples)
        if sound.end and 0 < all_in_all < self._bank.window:
            return torch.nn.functional.pad(samples, (0, self._bank.window - len(samples)))
        return samples

    def _frames(self, rows: Sequence[Tensor]) -> list[Tensor]:
        """The frames (T, C) that fit into each row of samples, made in one go, one row behind the other."""
        window, hop = self._bank.window, self._bank.hop
        counts = [self._bank.frames(len(row)) if len(row) >= window else 0 for row in rows]
        if not any(counts):
            return [self._silence[:0] for _ in rows]
        line, begins = _line(rows, hop)
        found = self._recordings.frames(line).float() / STEP
        return [found[begin : begin + count] for begin, count in zip(begins, counts, strict=True)]

    def _said(
        self, states: Sequence[Kept], read: Sequence[Tensor], steps: Sequence[int]
    ) -> list[tuple[list[int], dict[str, Tensor]]]:
        """The most probable symbol of every time step of each row, and the recurrent state behind them."""
        found: list[tuple[list[int], dict[str, Tensor]]] = [
            ([], {name: state[name] for name in self.names}) for state in states
        ]
        live = [k for k, count in enumerate(steps) if count]
        if not live:
            return found
        reader, counts = self._network.reader, [steps[k] for k in live]
        line, begins = _line([read[k] for k in live], reader.stride)
        seen = reader.over(line.unsqueeze(1).to(self._device)).squeeze(1)
        rows = [seen[begin : begin + count] for begin, count in zip(begins, counts, strict=True)]
        features, carried = self._scan(pad_sequence(rows), [states[k] for k in live], counts)
        (wired,) = self._network.outputs
        scores = wired.head(features)
        if (unknown := self._transcripts.unit.unknown) is not None:
            scores[:, unknown] = -torch.inf
        best = iter(scores.argmax(-1).tolist())
        for k, count, own in zip(live, counts, carried, strict=True):
            found[k] = [next(best) for _ in range(count)], own
        return found

    def _heard(self, feed: tuple[Kept, Sound], now: dict[str, Tensor], symbols: Sequence[int]) -> Heard:
        """Runs of a symbol as one, without blanks, as text; where the sound ends, nothing is kept."""
        state, sound = feed
        last, heard = state["counts"].tolist()
        decoder, text = self._transcripts.unit.decoder(), ""
        decoder.pending = bytes(state["bytes"].tolist())
        for symbol in symbols:
            if symbol not in (last, self._transcripts.blank):
                text += decoder.push(symbol)
            last = symbol
        if sound.end:
            return Heard(text + decoder.end(), self.fresh)
        counts = torch.tensor([last, heard + len(sound.samples)])
        unfinished = torch.tensor(list(decoder.pending), dtype=torch.uint8)
        # Copies: a piece of the line of all rows would keep all of it.
        own = {name: now.pop(name).clone() for name in ("samples", "frames")}
        return Heard(text, own | {"bytes": unfinished, "counts": counts} | now)


def _line(rows: Sequence[Tensor], step: int) -> tuple[Tensor, list[int]]:
    """Rows one behind the other, each filled up to a multiple of `step`, and the number of the step each begins at."""
    filled = []
    for row in rows:
        filled += [row, row.new_zeros(-len(row) % step, *row.shape[1:])]
    begins = accumulate((-(-len(row) // step) for row in rows), initial=0)
    return torch.cat(filled), list(begins)[:-1]
