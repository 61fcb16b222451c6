"""Layers of any cell: one of the registry's, or a user's own.

It does not know any cell in particular.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Self, Unpack

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence
from torch.types import Device

from elman.cells import Cell, checked, find
from elman.errors import UsageError
from elman.layers.arguments import Given, Hidden, Lengths, checked_probability, other_batch, selected
from elman.layers.options import OptionArguments, options_of
from elman.layers.sequence import refuse_with_packed, rows_of
from elman.layers.stack import Stack
from elman.types import State


class Recurrent(Stack):
    """Recurrent layers of any cell, with torch.nn's arguments, names and forms.

    Args:
        cell: its name (`elman cells` lists them), or a `Cell`, or a class of cells that takes no arguments.
        input_size: I, the number of features of the input.
        hidden_size: H, the number of features of the state; or one for each layer.
        num_layers: L; each layer after the first reads the outputs of the one before. Sizes for each say it too.
        bias: whether the bias vectors exist.
        batch_first: input and output are (B, T, ...) instead of (T, B, ...); states stay as they are.
        dropout: the probability with which an element of the output of each layer but the last is zeroed in training.
        bidirectional: a second direction reads each row from its end; the outputs of both stand side by side.
        proj_size: P, the number of features to which h is projected, for cells that can; 0 for no projection.
        device: of the weights.
        dtype: of the weights.
        options: `elman.layers.options.Options`.

    Raises:
        UsageError: options that make no sense.

    Weights are named as in torch.nn: weight_ih_l0 (G*H, I), weight_hh_l0, bias_ih_l0, bias_hh_l0, weight_hr_l0, with
    the suffix _reverse for the second direction; further parameters of the cell by their own names: peephole_i_l0.
    A cell without a recurrent matmul has no weight_hh and one bias.
    """

    def __init__(
        self,
        cell: str | Cell | type[Cell],
        input_size: int,
        hidden_size: int | Sequence[int],
        num_layers: int | None = None,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Device = None,
        dtype: torch.dtype | None = None,
        **options: Unpack[OptionArguments],
    ) -> None:
        super().__init__()
        self.plain_cell = as_cell(cell)
        self.input_size = input_size
        self._hidden_sizes = _sizes(hidden_size, num_layers)
        self.num_layers = len(self._hidden_sizes)
        self.bias, self.batch_first, self.bidirectional = bias, batch_first, bidirectional
        self.dropout, self.proj_size = checked_probability("dropout", dropout), proj_size
        self.options = options_of(self, options)
        self._check_arguments()
        self._add_parameters(device=device, dtype=dtype)
        self.reset_parameters()

    @property
    def hidden_sizes(self) -> tuple[int, ...]:
        """H of each layer."""
        return self._hidden_sizes

    @property
    def hidden_size(self) -> int | tuple[int, ...]:
        """H, or one for each layer if they differ."""
        return self._hidden_sizes[0] if len(set(self._hidden_sizes)) == 1 else self._hidden_sizes

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """The parameters of each layer and direction, as torch.nn's layers list them."""
        cell, suffixes = self.cell, [f"_l{k}{each}" for k in range(self.num_layers) for each in self._suffixes]
        found = [self._parameters_of(cell, suffix) for suffix in suffixes]
        return [[tensor for tensor in each if tensor is not None] for each in found]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """What `.to`, `.half` and their like do."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.flatten_parameters()
        return self

    def _check_arguments(self) -> None:
        sizes = [("input_size", self.input_size), *(("hidden_size", size) for size in self._hidden_sizes)]
        for name, size in sizes:
            if not isinstance(size, int) or size < 1:
                raise UsageError(f"{name} must be a whole number from 1 on, got {size!r}")
        if self.dropout and self.num_layers == 1:
            raise UsageError("dropout acts between layers, but there is one only; leave it out, or give more layers")
        self.options.check_layers(self.num_layers)
        if self.options.residual and len({self._input_size(k) for k in range(1, self.num_layers + 1)}) > 1:
            raise UsageError(
                f"residual adds a layer's input to its output, so all layers need one size, got {self._hidden_sizes}"
            )
        if self.proj_size and not self.plain_cell.projects:
            raise UsageError(f"{self.plain_cell.name} has no projection; leave proj_size out")
        if not 0 <= self.proj_size < min(self._hidden_sizes):
            raise UsageError(f"proj_size={self.proj_size} must be from 0 to less than hidden_size, {self.hidden_size}")

    def _given(
        self,
        input: Tensor | PackedSequence,
        hx: Hidden | None,
        lengths: Lengths | None,
        reset: Tensor | None,
        states: bool,
    ) -> Given:
        if isinstance(input, PackedSequence):
            refuse_with_packed(lengths, reset, states=states)
            batch = rows_of(input)
            self._check_input(input.data, "data of a PackedSequence", (2,))
            state = self._state(hx, input.data, batch, batched=True)
            return Given(input.data, selected(state, input.sorted_indices), input.batch_sizes)
        self._check_input(input, "input", (2, 3))
        inputs = self._time_first(input, batched=input.dim() == 3)
        state = self._state(hx, inputs, inputs.shape[1], batched=input.dim() == 3)
        return Given(inputs, state, **self._extent(input, lengths, reset))

    def _check_input(self, input: Tensor, what: str, dims: tuple[int, ...]) -> None:
        if input.dim() not in dims:
            form = "(T, I), or with rows (B, T, I)" if self.batch_first else "(T, I), or with rows (T, B, I)"
            raise ValueError(f"{what} has the shape {tuple(input.shape)}; give one of the form {form}")
        if input.shape[-1] != self.input_size:
            raise ValueError(
                f"{what} has {input.shape[-1]} features, but this layer was made for input_size={self.input_size}"
            )
        weight = self._weight("weight_ih_l0")
        if input.dtype != weight.dtype and not torch.is_autocast_enabled(input.device.type):
            raise ValueError(
                f"{what} is {input.dtype}, but the weights are {weight.dtype}; convert one of them with .to()"
            )

    def _state(self, hx: Hidden | None, input: Tensor, batch: int, *, batched: bool) -> list[State]:
        if hx is None:
            return self._initial(input, batch)
        self._check_form(hx)
        state = self._by_layer(hx)
        if not batched:
            state = [tuple(tensor.unsqueeze(1) for tensor in each) for each in state]
        self._check_state(state, batch)
        others = {tensor.dtype for each in state for tensor in each} - {input.dtype}
        if others and not torch.is_autocast_enabled(input.device.type):
            raise ValueError(
                f"the state is {others.pop()}, but the input is {input.dtype}; convert one of them with .to()"
            )
        return state

    def _check_form(self, hx: Hidden) -> None:
        names = self.plain_cell.states
        for each in hx if len(set(self._hidden_sizes)) > 1 else [hx]:
            alone = isinstance(each, Tensor)
            if alone != (len(names) == 1) or (not alone and len(each) != len(names)):
                form = "a tensor" if len(names) == 1 else f"a tuple of {len(names)} tensors"
                got = "a tensor" if alone else f"a {type(each).__name__} of {len(each)}"
                raise ValueError(f"a state of {self.plain_cell.name} is {form} ({', '.join(names)}), got {got}")

    def _check_state(self, state: list[State], batch: int) -> None:
        names, count = self.plain_cell.states, len(self._suffixes)
        for depth in range(self.num_layers):
            given = state[depth] if depth < len(state) else ()
            expected = [(count, batch, size) for size in self._state_sizes(depth)]
            found = [tuple(tensor.shape) for tensor in given]
            if found == expected:
                continue
            where = f" of layer {depth}" if self.num_layers > 1 else ""
            wanted = ", ".join(f"{name} {shape}" for name, shape in zip(names, expected, strict=True))
            rows = {shape[1] for shape in found if len(shape) == 3}
            help = ""
            if len(rows) == 1 and rows != {batch}:
                (given_rows,) = rows
                help = other_batch(given_rows, batch)
            raise ValueError(
                f"the state{where} has the shapes {found}, but {wanted} (directions, rows, features) is needed{help}"
            )

    def _check_scan(self, input: Tensor, state: State | None) -> None:
        if len(set(self._hidden_sizes)) > 1:
            raise UsageError("scan has one tensor for all layers, so they need one size; call the layer instead")
        self._check_input(input, "input", (3,))
        if state is not None:
            self._check_state(self._by_layer(state if len(state) > 1 else state[0]), input.shape[1])

    def extra_repr(self) -> str:
        """The arguments that are not as usual."""
        said = [self.plain_cell.name, str(self.input_size), str(self.hidden_size)]
        usual = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0, "bidirectional": False}
        for name, value in (usual | {"proj_size": 0}).items():
            if getattr(self, name) != value:
                said.append(f"{name}={getattr(self, name)}")
        return ", ".join(said + self.options.said())


def as_cell(cell: str | Cell | type[Cell]) -> Cell:
    """The cell that is asked for.

    Raises:
        UsageError: if there is none.

    """
    if isinstance(cell, str):
        return find(cell)
    if isinstance(cell, Cell):
        return checked(cell)
    if isinstance(cell, type) and issubclass(cell, Cell):
        if inspect.isabstract(cell):
            missing = ", ".join(sorted(cell.__abstractmethods__))
            raise UsageError(f"the cell {cell.__name__} does not define {missing}; docs/extending.md shows a whole one")
        return checked(cell())
    raise UsageError(f"a cell is a name, an elman.Cell or a class of cells, got {cell!r}")


def _sizes(hidden_size: Any, num_layers: int | None) -> tuple[int, ...]:
    if isinstance(hidden_size, Sequence):
        sizes = tuple(hidden_size)
        if not sizes or num_layers not in {None, len(sizes)}:
            raise UsageError(
                f"hidden_size={hidden_size!r} has {len(sizes)} sizes, which num_layers={num_layers} contradicts"
            )
        return sizes
    if num_layers is not None and (not isinstance(num_layers, int) or num_layers < 1):
        raise UsageError(f"num_layers must be a whole number from 1 on, got {num_layers!r}")
    return (hidden_size,) * (1 if num_layers is None else num_layers)
