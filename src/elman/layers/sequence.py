"""What RNN, GRU and LSTM share: torch.nn's layer, computed by Elman's engine, with lengths, resets and options.

Constructor checks, parameters and their names, initialisation, state_dict and repr are those of torch.nn.RNNBase
itself. The layers do not inherit from torch.nn.LSTM and its siblings because torch.compile refuses those.
"""

import numbers
from typing import Any

from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from elman.cells import CELLS, Cell
from elman.engine.warning import warn
from elman.layers.arguments import Given, Hidden, Lengths, as_hidden, as_state, other_batch, torch_name
from elman.layers.options import USUAL, OptionArguments, options_of
from elman.layers.stack import Stack
from elman.types import State

_CELL_OF_MODE = {"RNN_TANH": "rnn", "RNN_RELU": "rnn-relu", "GRU": "gru", "LSTM": "lstm"}


class SequenceLayer(Stack, nn.RNNBase):
    """A stack of recurrent layers that torch.nn has too."""

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        *,
        dropout: float,
        options: OptionArguments,
        **arguments: Any,
    ) -> None:
        chosen = options_of(self, options)
        idle = _is_idle(dropout, num_layers)
        nn.RNNBase.__init__(
            self, mode, input_size, hidden_size, num_layers, dropout=0.0 if idle else dropout, **arguments
        )
        if idle:
            # torch's own warning would point into this file; this one has its text and points at the user's line.
            self.dropout = float(dropout)
            warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects "
                f"num_layers greater than 1, but got dropout={dropout} and num_layers={num_layers}"
            )
        if chosen != USUAL:
            chosen.check_layers(num_layers)
            self.options = chosen
            self._add_parameters(device=arguments.get("device"), dtype=arguments.get("dtype"))
            self.reset_parameters()

    @property
    def plain_cell(self) -> Cell:  # type: ignore[override]
        """The time step without options."""
        return CELLS[_CELL_OF_MODE[self.mode]]

    @property
    def hidden_sizes(self) -> tuple[int, ...]:
        """H of each layer."""
        return (self.hidden_size,) * self.num_layers

    @property
    def _flat_weights(self) -> list[Tensor | None]:
        return [getattr(self, name, None) for name in self._flat_weights_names]

    @_flat_weights.setter
    def _flat_weights(self, _: list[Tensor | None]) -> None:
        """torch keeps a list of the weights, which goes stale when one is replaced; here there is none to keep."""

    def _given(
        self,
        input: Tensor | PackedSequence,
        hx: Hidden | None,
        lengths: Lengths | None,
        reset: Tensor | None,
        states: bool,
    ) -> Given:
        """The arguments of `forward`, checked in torch's order and turned time first."""
        if (input.data if isinstance(input, PackedSequence) else input).is_cuda:
            self._update_flat_weights()  # cuDNN wants the weights side by side in memory
        if not isinstance(input, PackedSequence):
            return self._padded(input, hx, lengths, reset)
        refuse_with_packed(lengths, reset, states=states)
        return self._packed(input, hx)

    def _padded(self, input: Tensor, hx: Hidden | None, lengths: Lengths | None, reset: Tensor | None) -> Given:
        state = None if hx is None else as_state(hx, self.plain_cell)
        self._check_dimensions(input, state)
        batched = input.dim() == 3
        inputs = self._time_first(input, batched=batched)
        if state is None:
            initial = self._initial(inputs, inputs.shape[1])
            if inputs.dtype is not self._weight("weight_ih_l0").dtype or inputs.shape[-1] != self.input_size:
                self.check_input(inputs, None)  # says what is wrong, and takes longer to see that nothing is
        else:
            hidden = as_hidden(state if batched else tuple(tensor.unsqueeze(1) for tensor in state))
            self._check_state(inputs.transpose(0, 1) if self.batch_first else inputs, hidden, inputs.shape[1])
            initial = self._by_layer(hidden)
        return Given(inputs, initial, **self._extent(input, lengths, reset))

    def _check_state(self, input: Tensor, hidden: Hidden, batch: int) -> None:
        """torch's check of input and state, whose message says more where only the number of rows is another."""
        tensors = as_state(hidden, self.plain_cell)
        rows = tensors[0].shape[1]
        if rows == batch or any(tensor.shape[1] != rows for tensor in tensors):
            self.check_forward_args(input, hidden, None)
            return
        try:
            self.check_forward_args(input, hidden, None)
        except RuntimeError as error:
            raise RuntimeError(f"{error}{other_batch(rows, batch)}") from None

    def _packed(self, input: PackedSequence, hx: Hidden | None) -> Given:
        data, batch_sizes = input.data, input.batch_sizes
        if hx is None:
            self.check_input(data, batch_sizes)
            return Given(data, self._initial(data, rows_of(input)), batch_sizes)
        hidden = self.permute_hidden(hx, input.sorted_indices)
        self.check_forward_args(data, hidden, [rows_of(input)])  # type: ignore[arg-type] # it reads the first one only
        return Given(data, self._by_layer(hidden), batch_sizes)

    def _check_dimensions(self, input: Tensor, state: State | None) -> None:
        dims = input.dim()
        if dims not in {2, 3}:
            name = torch_name(self.plain_cell)
            kind = "D tensor" if name == "RNN" else "D"
            raise ValueError(f"{name}: Expected input to be 2D or 3D, got {dims}{kind} instead")
        got = [f"{tensor.dim()}-D" for tensor in state or ()]
        if any(found != f"{dims}-D" for found in got):
            form = "batched 3-D" if dims == 3 else "unbatched 2-D"
            if len(got) == 1:
                raise RuntimeError(f"For {form} input, hx should also be {dims}-D but got {got[0]} tensor")
            raise RuntimeError(
                f"For {form} input, hx and cx should also be {dims}-D but got ({got[0]}, {got[1]}) tensors"
            )

    def _check_scan(self, input: Tensor, state: State | None) -> None:
        self.check_input(input, None)
        if state is None:
            return
        states = self.plain_cell.states
        if len(state) != len(states):
            raise RuntimeError(
                f"a state of {self.plain_cell.name} is a tuple of {len(states)} tensors ({', '.join(states)}), "
                f"got {len(state)}"
            )
        depth = self.num_layers * len(self._suffixes)
        for tensor, size in zip(state, self._state_sizes(0), strict=True):
            self.check_hidden_size(tensor, (depth, input.shape[1], size), "Expected state size {}, got {}")

    def extra_repr(self) -> str:
        """torch's, and the options that are not as usual."""
        return ", ".join([super().extra_repr(), *self.options.said()])


def rows_of(input: PackedSequence) -> int:
    """B; where rows were sorted without a look at values, which torch.compile cannot take."""
    return int(input.batch_sizes[0]) if input.sorted_indices is None else len(input.sorted_indices)


def refuse_with_packed(lengths: Any, reset: Any, *, states: bool) -> None:
    """Raise ValueError if there is anything that goes with padded input only."""
    if lengths is not None or reset is not None or states:
        raise ValueError(
            "lengths, reset and states go with padded input; a PackedSequence carries its own lengths. "
            "Leave them out, or pad the input with torch.nn.utils.rnn.pad_packed_sequence."
        )


def _is_idle(dropout: Any, num_layers: int) -> bool:
    """Whether dropout is valid but never applied: it acts between layers."""
    valid = isinstance(dropout, numbers.Real) and not isinstance(dropout, bool)
    return valid and 0 < dropout <= 1 and num_layers == 1


def refuse_projection(options: OptionArguments) -> OptionArguments:
    """Raise torch.nn's error if there is a `proj_size` among the options of a layer that has no projection."""
    if "proj_size" in options:
        raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
    return options
