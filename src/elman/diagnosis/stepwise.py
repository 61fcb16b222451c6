"""A cell that a module takes through time by itself, step by step, seen as a layer over a sequence.

It does not know how steps are put together.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from elman.cells import Cell, Weights
from elman.diagnosis.handed import Handed
from elman.engine import backend
from elman.layers import StepLayer
from elman.layers.arguments import Hidden, as_hidden, as_state
from elman.types import State


class SeenStates(Protocol):
    """The states of a call by name, and their gradients after a backward pass, as `elman.layers.states.States`."""

    def __getitem__(self, name: str, /) -> Tensor:
        """The state, (D*L, T, B, ·) in the form of the call's input."""

    def gradient(self, name: str) -> Tensor | None:
        """The whole gradient at it; None as long as none came by."""


@dataclass(frozen=True, eq=False)
class Step:
    """One step, as a call over a sequence of one: tensors time first, (1, B, ·)."""

    input: Tensor
    given: Hidden | None
    output: Tensor
    final: Hidden
    states: SeenStates
    shown: Hidden


class Stepwise:
    """A cell's layer, with what is known of the states that it has returned."""

    batch_first = False
    bidirectional = False

    def __init__(self, layer: StepLayer) -> None:
        self._layer, self.cell = layer, layer.cell
        self._handed = Handed()

    def evaluated(self) -> tuple[Cell, tuple[tuple[Weights, ...], ...]]:
        """The cell and the weights, as of a stack of one layer."""
        return self.cell, ((self._layer.weights,),)

    def by_layer(self, hx: Hidden | None, batch: int) -> list[State]:
        """A state as of a stack of one layer; zeros if it is None."""
        if hx is not None:
            return [as_state(hx, self.cell)]
        sizes = self.cell.state_sizes(self._layer.hidden_size)
        return [tuple(self._layer.weights.ih.new_zeros(1, batch, size) for size in sizes)]

    def take(self, input: Tensor, hx: Hidden | None) -> Step:
        """One step from `hx`, in the module's form."""
        given = None if hx is None else tuple(map(self._handed.own, as_state(hx, self.cell)))
        rows = input.dim() == 1
        read = _as_sequence(input, rows=rows)
        own = read.reshape(input.shape)  # so that what is shown lies on the way back
        with backend("torch"):  # whose c is on the way to h: of the engine's node both are results, side by side
            after = type(self._layer).forward(self._layer, own, None if given is None else as_hidden(given))
        state = as_state(after, self.cell)
        long = tuple(_as_sequence(tensor, rows=rows) for tensor in state)
        shown = tuple(self._handed.show(each.reshape(own.shape), own) for each, own in zip(long, state, strict=True))
        # The module reads h as the output; what of the final state it reads beside that is c.
        final = (_as_sequence(state[0], rows=rows), *long[1:])
        before = None if given is None else as_hidden(tuple(_as_sequence(tensor, rows=rows) for tensor in given))
        seen = StepStates(self.cell.states, state, rows=rows)
        return Step(read, before, long[0], as_hidden(final), seen, as_hidden(shown))


class StepStates(Mapping[str, Tensor]):
    """The states after one step, as of a sequence of one."""

    def __init__(self, names: tuple[str, ...], state: State, *, rows: bool) -> None:
        self._rows = rows
        self._values = dict(zip(names, state, strict=True))
        self._gradients: dict[str, Tensor] = {}
        for name, tensor in self._values.items():
            if tensor.requires_grad:
                tensor.register_hook(partial(self._gradients.__setitem__, name))

    def gradient(self, name: str) -> Tensor | None:
        """That of the last backward pass."""
        found = self._gradients.get(name)
        return None if found is None else _as_sequence(found, rows=self._rows).unsqueeze(0)

    def __getitem__(self, name: str) -> Tensor:
        return _as_sequence(self._values[name], rows=self._rows).unsqueeze(0)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def _as_sequence(tensor: Tensor, *, rows: bool) -> Tensor:
    """(1, B, ·), of a state of one row too."""
    return torch.unsqueeze(tensor, 0).unsqueeze(0) if rows else tensor.unsqueeze(0)
