"""Networks that read on and on, exported twice: for many symbols at a time, and for one.

It knows the synced topology over a text's symbols. Both models take the recurrent state and give it back, so that a
stream is read in constant memory.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from elman.data.stream import Symbols
from elman.export.base import (
    BATCH,
    INDEX,
    TIME,
    Exporter,
    Model,
    Port,
    Runner,
    StandIn,
    Trial,
    after,
    difference,
    states,
)
from elman.export.recurrence import Steps, portable
from elman.generation.kept import beginning
from elman.generation.sample import first_symbols
from elman.layers import Stack
from elman.modalities.base import CategoricalHead
from elman.run.run import Run
from elman.topologies.synced import SyncedManyToMany
from elman.types import State

SIZES = ((1, 1), (3, 17), (8, 64), (1, 300))
"""Rows and steps of the trials; those of the second model are taken one by one."""

EXCERPT = 20_000
"""Symbols that the script's cutting is tried on."""


class Reading(nn.Module):
    """Symbols (B, T) and a state to ln P (B, T, V) of what comes after each, and the state after."""

    def __init__(self, network: SyncedManyToMany) -> None:
        super().__init__()
        self.network = portable(network)

    def forward(self, symbols: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Return ln P and the state."""
        scores, state = self.network(symbols.transpose(0, 1), state)
        return scores.log_softmax(-1).transpose(0, 1), *state


class ReadingStep(nn.Module):
    """The same for one symbol of each row: (B,) to (B, V)."""

    def __init__(self, network: SyncedManyToMany) -> None:
        super().__init__()
        self.reader, self.head = network.reader, network.head
        self.recurrence = Steps(network.recurrence)

    def forward(self, symbol: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Return ln P and the state."""
        features, state = self.recurrence(self.reader(symbol), state)
        return self.head(features).log_softmax(-1), *state


class ReadingOn(Exporter):
    """Language models."""

    topology = SyncedManyToMany
    script = "read_on"

    @classmethod
    def takes(cls, run: Run) -> bool:
        """Whether the network says one symbol at a time; one that says sets is of the same topology."""
        return super().takes(run) and isinstance(run.network.head, CategoricalHead)

    def models(self) -> list[Model]:
        """Return the model of many symbols and that of one."""
        unit, state = self.prepared.text.unit, states(self.network.recurrence)
        said = f"ln P of each of the {unit.size} {unit.noun}s to come next"
        what = f"{unit.noun}s by number"
        return [
            Model(
                "model",
                f"reads on by any number of {unit.noun}s",
                Reading(self.network),
                (Port("symbols", (BATCH, TIME), what, INDEX), *state),
                (Port("log_probabilities", (BATCH, TIME, unit.size), f"{said}, after each"), *after(state)),
            ),
            Model(
                "step",
                f"reads on by one {unit.noun}",
                ReadingStep(self.network),
                (Port("symbol", (BATCH,), what, INDEX), *state),
                (Port("log_probabilities", (BATCH, unit.size), said), *after(state)),
            ),
        ]

    def facts(self) -> dict[str, Any]:
        """Return what is read before the first symbol of a text, and the symbol that is never written."""
        unit = self.prepared.text.unit
        return {"begin": first_symbols(unit, ""), "unknown": unit.unknown}

    def trials(self, runners: Mapping[str, Runner]) -> Iterator[Trial]:
        """Read pieces of the held-out text, each in the state that the piece before it left."""
        symbols = self.prepared.parts[self.part].symbols
        for rows, steps in SIZES:
            before, piece = _pieces(symbols, rows, 2 * steps).chunk(2)
            _, state = self.network(before)
            scores, own_after = self.network(piece, state)
            own = scores.log_softmax(-1), *own_after
            for name, read in (("model", _at_once), ("step", _one_by_one)):
                found = read(runners[name], piece, state)
                apart = max(difference(one, other) for one, other in zip(found, own, strict=True))
                yield Trial(name, rows, steps, apart)

    def encodings(self, script: Any, description: Mapping[str, Any]) -> Iterator[bool]:
        """Cut the beginning of the held-out text."""
        unit = self.prepared.text.unit
        encode, decode = script.cutting(description["modalities"]["text"])
        for line in unit.decode(self.prepared.parts[self.part].symbols[:EXCERPT].tolist()).splitlines(keepends=True):
            numbers = unit.encode(line).tolist()
            yield encode(line) == numbers and decode(numbers) == unit.decode(numbers)

    def stand_in(self, runners: Mapping[str, Runner]) -> tuple[nn.Module, Any]:
        """Return a network that reads by the first model, and the run's own text."""
        return _Stream(runners["model"], self.network.recurrence), self.prepared


class _Stream(StandIn):
    """SyncedManyToMany, run elsewhere."""

    def __init__(self, run: Runner, stack: Stack) -> None:
        super().__init__()
        self._run, self._stack = run, (stack,)

    def forward(self, inputs: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        scores, *state_after = _at_once(self._run, inputs, state or beginning(self._stack[0], inputs.shape[1]))
        return scores, tuple(state_after)


def _at_once(run: Runner, symbols: Tensor, state: State) -> tuple[Tensor, ...]:
    """(T, B) to ln P (T, B, V), and the state after."""
    found, *state_after = run(symbols.t(), *state)
    return found.transpose(0, 1), *state_after


def _one_by_one(run: Runner, symbols: Tensor, state: State) -> tuple[Tensor, ...]:
    """The same, step by step."""
    found = []
    for symbol in symbols:
        now, *rest = run(symbol, *state)
        found.append(now)
        state = tuple(rest)
    return torch.stack(found), *state


def _pieces(symbols: Symbols, rows: int, steps: int) -> Tensor:
    """(T, B), from all over a text; the text again where it is short."""
    starts = np.linspace(0, max(0, len(symbols) - steps), rows).astype(np.int64)
    places = (np.arange(steps)[:, None] + starts) % len(symbols)
    return torch.from_numpy(symbols[places].astype(np.int64))
