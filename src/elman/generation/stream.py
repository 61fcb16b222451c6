"""A causal network over symbols that reads on and on: one symbol or many at a time, in constant memory.

It knows networks of the form (inputs (T, B), state) -> (scores (T, B, V), state) that have `reader`, `recurrence` and
`head`, and the unit that their symbols come from; nothing of runs or terminals.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from elman.data.stream import Symbols
from elman.data.text import mended, shown
from elman.errors import UsageError
from elman.generation import kept
from elman.generation.kept import Forking, Kept
from elman.layers.arguments import as_hidden
from elman.modalities.units import Unit

PIECE = 256
"""Symbols that are read at once at most."""

FEW = 4
"""Fewer are read one by one, which is faster: a layer looks at all of its weights in every call, a stepper does not."""


class Reading(Forking):
    """What a network has read so far, and what it expects next.

    Attributes:
        scores: (V,), of the next symbol.

    """

    own = ("_stepper",)

    def __init__(self, network: Any, weights: torch.dtype | None = None) -> None:
        """Begin with nothing read.

        Args:
            network: in eval mode.
            weights: what the recurrent matrices are kept as, as `layer.stepper` takes it.

        """
        self._network = network
        self._rounded = weights is not None
        self._stepper = network.recurrence.stepper(weights=weights)
        self._device = next(network.parameters()).device
        self.scores: Tensor = torch.zeros(0)

    def read(self, symbols: Sequence[int] | Symbols) -> Tensor:
        """Read on: (T,) to the scores (T, V) of what comes after each."""
        inputs = torch.tensor([int(symbol) for symbol in symbols], device=self._device).unsqueeze(-1)
        with torch.inference_mode():
            found = torch.cat([self._piece(piece) for piece in torch.split(inputs, PIECE)]).cpu()
        self.scores = found[-1]
        return found

    def _piece(self, inputs: Tensor) -> Tensor:
        """(T, 1) -> (T, V)."""
        if len(inputs) >= FEW and not self._rounded:
            scores, self.state = self._network(inputs, self.state)
        else:
            features = self._network.reader(inputs)
            scores = self._network.head(torch.stack([self._stepper(each).clone() for each in features]))
        found: Tensor = scores.squeeze(1)
        return found

    @property
    def state(self) -> tuple[Tensor, ...]:
        """A copy of the recurrent state, tensors (L, 1, ·), which can be set."""
        return kept.carried(self._stepper)

    @state.setter
    def state(self, state: tuple[Tensor, ...]) -> None:
        self._stepper.state = as_hidden(state)

    def forget(self) -> None:
        """Begin anew."""
        self._stepper.reset()


class TextStream(Forking):
    """A text without end, read by a trained language model as it comes; what is kept of it is one state.

        stream = run.stream()
        for line in sys.stdin:
            surprise = -sum(stream.feed(line))  # nats, given everything before it

    `state` is a copy of all that was read, as plain tensors by name: save it, move it, set it in another stream of the
    same run, and reading goes on as if nothing had happened. A copy of a stream (`copy.copy`) goes on by itself from
    where this one is; they share the network.

    Attributes:
        network: what reads.
        unit: what its symbols mean.
        names: of the tensors of the recurrent state.

    """

    own = ("_reading",)

    def __init__(self, network: Any, unit: Unit, begin: Sequence[int], weights: torch.dtype | None = None) -> None:
        """Begin.

        Args:
            network: in eval mode.
            unit: what its symbols mean.
            begin: the symbols that it has read before the first text.
            weights: torch.bfloat16 or torch.int8 to keep the recurrent matrices in less memory, rounded.

        """
        self.network, self.unit, self._begin = network, unit, begin
        self._reading = Reading(network, weights)
        self.names: tuple[str, ...] = network.recurrence.cell.states
        self.reset()

    def feed(self, text: str) -> list[float]:
        """Read on, and return ln P of each symbol of `text`, given everything before it.

        The text is cut into symbols by itself: words and subwords do not reach from one call to the next.

        Raises:
            UsageError: if it is no text.

        """
        if not isinstance(text, str):
            raise UsageError(f"a stream of this run reads text, got {type(text).__name__}; decode bytes first")
        return self.read(self.unit.encode(text))

    def read(self, symbols: Symbols) -> list[float]:
        """Read on symbols of the unit, and return ln P of each."""
        if not len(symbols):
            return []
        before = self._reading.scores.unsqueeze(0)
        scores = torch.cat([before, self._reading.read(symbols)])[:-1]
        return said_of(torch.from_numpy(symbols.astype("int64")), scores)

    def follow(self, lines: Iterable[str]) -> Iterator[dict[str, Any]]:
        """Read lines with their ends as they come, and say of each what `run.predict` says, given all before it."""
        for number, given in enumerate(lines, 1):
            line = given if self.unit.raw else mended(given)
            symbols = self.unit.encode(line)
            yield said_of_line(self.unit, number, line.rstrip("\r\n"), symbols, math.fsum(self.read(symbols)))

    def expected(self, count: int = 5) -> list[tuple[str, float]]:
        """The most probable next symbols as text, each with its probability, the most probable first.

        Raises:
            UsageError: if `count` is not positive.

        """
        if count < 1:
            raise UsageError(f"expected({count}) asks for no symbol; give a positive number")
        return most_probable(self.unit, self._reading.scores, count)

    @property
    def state(self) -> dict[str, Tensor]:
        """All that was read, as tensors by name; a copy. It can be set."""
        return dict(zip(self.names, self._reading.state, strict=True)) | {"scores": self._reading.scores.clone()}

    @state.setter
    def state(self, state: Kept) -> None:
        kept.check(state, self.state)
        self._reading.state = tuple(state[name] for name in self.names)
        self._reading.scores = state["scores"].clone()

    def reset(self) -> None:
        """Begin anew."""
        self._reading.forget()
        self._reading.read(self._begin)


def most_probable(unit: Unit, scores: Tensor, count: int) -> list[tuple[str, float]]:
    """The most probable symbols by scores (V,) as text, each with its probability, the most probable first."""
    probabilities = scores.softmax(-1)
    if unit.unknown is not None:
        probabilities[unit.unknown] = -1  # it has no text
    best = probabilities.topk(min(count, len(probabilities) - (unit.unknown is not None)))
    return list(zip(unit.texts(best.indices.tolist()), best.values.tolist(), strict=True))


def said_of(symbols: Tensor, scores: Tensor) -> list[float]:
    """ln P of symbols (T,) by the scores (T, V) before each."""
    found: list[float] = scores.log_softmax(-1).gather(-1, symbols.unsqueeze(-1)).squeeze(-1).tolist()
    return found


def said_of_line(unit: Unit, number: int, text: str, symbols: Symbols, total: float) -> dict[str, Any]:
    """What a language model says of a line: ln P, its perplexity per symbol, and what was unknown."""
    return {
        "line": number,
        "log_probability": total,
        "perplexity": math.exp(min(700.0, -total / len(symbols))) if len(symbols) else None,
        "symbols": len(symbols),
        "unknown": 0 if unit.unknown is None else int((symbols == unit.unknown).sum()),
        "text": shown(text),
    }
