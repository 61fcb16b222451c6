"""What a stack of recurrent layers is made of: sizes, a cell, parameters by torch.nn's names, the state it begins with.

It does not know how layers are run, nor how a class of them is constructed: what a deriving class brings is listed at
the top of `Parameters`.
"""

from typing import Any

import torch
from torch import Tensor, nn

from elman import engine
from elman.cells import Cell, Weights
from elman.layers.initialization import initialize
from elman.layers.options import USUAL, Options
from elman.types import State

NAMES = {"ih": "weight_ih", "hh": "weight_hh", "hr": "weight_hr"}
"""torch.nn's names of the fields of `Weights`; all others are named as they are."""


class Parameters(nn.Module):
    """A stack of recurrent layers by its parameters."""

    input_size: int
    num_layers: int
    bias: bool
    bidirectional: bool
    proj_size: int
    plain_cell: Cell
    """The time step without options."""
    options: Options = USUAL
    _cells: dict[bool, Cell] | None = None

    @property
    def hidden_sizes(self) -> tuple[int, ...]:
        """H of each layer."""
        raise NotImplementedError

    @property
    def cell(self) -> Cell:
        """The time step, as mathematics, with the options, in the mode that the layer is in."""
        return self.plain_cell if self._cells is None else self._cells[self.training]

    @property
    def output_size(self) -> int:
        """The number of features of the output, of all directions together."""
        return len(self._suffixes) * (self.proj_size or self.hidden_sizes[-1])

    @property
    def _suffixes(self) -> tuple[str, ...]:
        """What the names of a direction's weights end with."""
        return ("", "_reverse") if self.bidirectional else ("",)

    def _input_size(self, depth: int) -> int:
        """The number of features that a layer reads."""
        return self.input_size if depth == 0 else len(self._suffixes) * (self.proj_size or self.hidden_sizes[depth - 1])

    def _state_sizes(self, depth: int) -> tuple[int, ...]:
        return self.cell.state_sizes(self.hidden_sizes[depth], self.proj_size)

    @property
    def weights(self) -> tuple[tuple[Weights, ...], ...]:
        """The weights by layer, then by direction, masks left out.

        Read from the named attributes each time, so that parametrizations, weight norm and functional_call hold.
        """
        cell = self.cell
        blank: list[Tensor | None] = [None] * len(cell.masks)
        suffixes, make = self._suffixes, cell.bundle_type()._make
        return tuple(
            [
                tuple([make(self._parameters_of(cell, f"_l{depth}{suffix}") + blank) for suffix in suffixes])
                for depth in range(self.num_layers)
            ]
        )

    def _parameters_of(self, cell: Cell, suffix: str) -> list[Tensor | None]:
        recurrent = bool(cell.recurrent_gates)
        get, bias = self._weight, self.bias
        found = [
            get("weight_ih" + suffix),
            get("weight_hh" + suffix) if recurrent else None,
            get("bias_ih" + suffix) if bias else None,
            get("bias_hh" + suffix) if bias and recurrent else None,
            get("weight_hr" + suffix) if self.proj_size else None,
        ]
        return found + [get(name + suffix) for name in cell.parameters]

    def _weight(self, name: str) -> Tensor:
        found = self._parameters.get(name)  # a tenth of what getattr takes, which finds those that are computed
        return getattr(self, name) if found is None else found

    def _add_parameters(self, **factory: Any) -> None:
        """Register what is not there yet of the cell's parameters and, if it is learnt, the initial state."""
        self._cells = {mode: self.options.modified(self.plain_cell, training=mode) for mode in (False, True)}
        for cell in self._cells.values():
            cell.bundle_type()  # made now, and not while torch.compile looks on
        fixed = {NAMES.get(field, field) for field in self.plain_cell.fixed}
        for depth in range(self.num_layers):
            for suffix in (f"_l{depth}{each}" for each in self._suffixes):
                for name, shape in self._shapes(depth).items():
                    if shape is not None and name + suffix not in self._parameters:
                        tensor = torch.empty(shape, **factory)
                        self.register_parameter(name + suffix, nn.Parameter(tensor, name not in fixed))

    def _shapes(self, depth: int) -> dict[str, tuple[int, ...] | None]:
        """The shapes of the parameters of one direction of a layer, by their names without suffix."""
        sizes = (self._input_size(depth), self.hidden_sizes[depth])
        found = self.cell.shapes(*sizes, bias=self.bias, projection=self.proj_size)
        named = {NAMES.get(name, name): shape for name, shape in found.items()}
        if self.options.learn_state:
            own = zip(self.cell.states, self._state_sizes(depth), strict=True)
            named |= {f"initial_{state}": (size,) for state, size in own}
        return named

    def reset_parameters(self) -> None:
        """Draw all weights anew, as the option `init` says."""
        cell = self.cell
        for depth, hidden in enumerate(self.hidden_sizes):
            for suffix in (f"_l{depth}{each}" for each in self._suffixes):
                weights = cell.bundle([*self._parameters_of(cell, suffix), *[None] * len(cell.masks)])
                initialize(self.options.start, cell, weights, hidden)
                for state in cell.states if self.options.learn_state else ():
                    nn.init.zeros_(self._weight(f"initial_{state}{suffix}"))

    def flatten_parameters(self) -> None:
        """Move the weights together in a GPU's memory, as cuDNN wants them; on the CPU do nothing."""
        engine.side_by_side(self.cell, self.weights)

    def evaluated(self) -> tuple[Cell, tuple[tuple[Weights, ...], ...]]:
        """The cell, and the weights by layer and direction, as evaluation mode runs them, whatever the mode is."""
        training = self.training
        try:
            self.training = False
            return self.cell, tuple(tuple(self.cell.derived(each) for each in stack) for stack in self.weights)
        finally:
            self.training = training

    def _initial(self, input: Tensor, batch: int) -> list[State]:
        """The state of every layer that a sequence begins with."""
        return [self._initial_of(depth, input, batch) for depth in range(self.num_layers)]

    def _initial_of(self, depth: int, input: Tensor, batch: int) -> State:
        sizes, count = self._state_sizes(depth), len(self._suffixes)
        if not self.options.learn_state:
            return tuple([input.new_zeros(count, batch, size) for size in sizes])
        names = [[f"initial_{name}_l{depth}{suffix}" for suffix in self._suffixes] for name in self.cell.states]
        learnt = [torch.stack([self._weight(name) for name in each]) for each in names]
        return tuple([tensor.unsqueeze(1).expand(-1, batch, -1) for tensor in learnt])
