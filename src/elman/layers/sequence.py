"""What RNN, GRU and LSTM share: torch.nn's layer, computed by Elman's engine, with lengths and resets.

It does not know which backend runs it, nor the mathematics of a cell. Constructor checks, parameters and their names,
initialisation, state_dict and repr are those of torch.nn.RNNBase itself. The layers do not inherit from torch.nn.LSTM
and its siblings because torch.compile refuses those.
"""

import numbers
from typing import Any, Literal, overload

from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from elman import engine
from elman.cells import CELLS, Cell, Weights
from elman.engine import Call, Explanation
from elman.engine.record import Record
from elman.engine.warning import warn
from elman.errors import UsageError
from elman.layers.arguments import Hidden, Lengths, as_hidden, as_state, checked_lengths, checked_reset, torch_name
from elman.layers.states import States
from elman.layers.stepper import Stepper, checked_batch
from elman.types import State

_CELL_OF_MODE = {"RNN_TANH": "rnn", "RNN_RELU": "rnn-relu", "GRU": "gru", "LSTM": "lstm"}


class SequenceLayer(nn.RNNBase):
    """A stack of recurrent layers over a batch of sequences."""

    def __init__(
        self, mode: str, input_size: int, hidden_size: int, num_layers: int, *, dropout: float, **options: Any
    ) -> None:
        idle = _is_idle(dropout, num_layers)
        super().__init__(mode, input_size, hidden_size, num_layers, dropout=0.0 if idle else dropout, **options)
        if idle:
            # torch's own warning would point into this file; this one has its text and points at the user's line.
            self.dropout = float(dropout)
            warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects "
                f"num_layers greater than 1, but got dropout={dropout} and num_layers={num_layers}"
            )

    @property
    def cell(self) -> Cell:
        """The time step, as mathematics."""
        return CELLS[_CELL_OF_MODE[self.mode]]

    @property
    def output_size(self) -> int:
        """The number of features of the output, of all directions together."""
        return (2 if self.bidirectional else 1) * (self.proj_size or self.hidden_size)

    @property
    def weights(self) -> tuple[tuple[Weights, ...], ...]:
        """The weights by layer, then by direction.

        Read from the named attributes each time, so that parametrizations, weight norm and functional_call hold.
        """
        suffixes = ("", "_reverse") if self.bidirectional else ("",)
        return tuple(tuple(self._weights_of(f"_l{k}{suffix}") for suffix in suffixes) for k in range(self.num_layers))

    def _weights_of(self, suffix: str) -> Weights:
        bias = self.bias
        return Weights(
            self._weight("weight_ih" + suffix),
            self._weight("weight_hh" + suffix),
            self._weight("bias_ih" + suffix) if bias else None,
            self._weight("bias_hh" + suffix) if bias else None,
            self._weight("weight_hr" + suffix) if self.proj_size else None,
        )

    def _weight(self, name: str) -> Tensor:
        found = self._parameters.get(name)  # a tenth of what getattr takes, which finds those that are computed
        return getattr(self, name) if found is None else found

    @property
    def _flat_weights(self) -> list[Tensor | None]:
        return [getattr(self, name, None) for name in self._flat_weights_names]

    @_flat_weights.setter
    def _flat_weights(self, _: list[Tensor | None]) -> None:
        """torch keeps a list of the weights, which goes stale when one is replaced; here there is none to keep."""

    @overload
    def forward(
        self, input: Tensor, hx: Hidden | None = None, *, lengths: Lengths | None = None, reset: Tensor | None = None
    ) -> tuple[Tensor, Hidden]: ...

    @overload
    def forward(self, input: PackedSequence, hx: Hidden | None = None) -> tuple[PackedSequence, Hidden]: ...

    @overload
    def forward(
        self,
        input: Tensor,
        hx: Hidden | None = None,
        *,
        lengths: Lengths | None = None,
        reset: Tensor | None = None,
        states: Literal[True],
    ) -> tuple[Tensor, Hidden, States]: ...

    def forward(
        self,
        input: Tensor | PackedSequence,
        hx: Hidden | None = None,
        *,
        lengths: Lengths | None = None,
        reset: Tensor | None = None,
        states: bool = False,
    ) -> tuple[Tensor | PackedSequence, Hidden] | tuple[Tensor, Hidden, States]:
        """Run the layers as torch.nn does, with three additions.

        Args:
            input: (T, B, I), or (B, T, I) with batch_first, or (T, I) for one sequence without a batch, or a
                PackedSequence.
            hx: the initial state, in torch.nn's form, (D*L, B, H) each; zeros if absent.
            lengths: of the rows, B integers from 0 to T in any order. What lies beyond a row's length is not read, and
                its outputs are zero; a row's final state is that of its last step; the reverse direction starts at
                the row's own end.
            reset: bool, of the input's shape without features: True says that the step begins a new segment. No state
                crosses from the step before it, in either direction.
            states: whether the states of all steps are returned too.

        Returns:
            The output, in the input's form with D*H features, and the final state, in the form of `hx`; with `states`
            also the `States` of all steps.

        Raises:
            ValueError, RuntimeError: wrong shapes and dtypes, with torch.nn's texts.

        """
        record = Record() if states else None
        output, state = engine.run(self._call(input, hx, lengths, reset, record))
        if record is not None:
            seen = States(record, self.cell, batch_first=self.batch_first, batched=input.dim() == 3)  # type: ignore[union-attr]
            return *self._results(input, output, state), seen
        return self._results(input, output, state)

    def _results(self, input: Tensor | PackedSequence, output: Tensor, state: State) -> tuple[Any, Hidden]:
        """Output and final state in the caller's form."""
        if isinstance(input, PackedSequence):
            packed = PackedSequence(output, input.batch_sizes, input.sorted_indices, input.unsorted_indices)
            return packed, self.permute_hidden(as_hidden(state), input.unsorted_indices)
        if input.dim() == 2:
            return output.squeeze(1), as_hidden(tuple(tensor.squeeze(1) for tensor in state))
        return output.transpose(0, 1) if self.batch_first else output, as_hidden(state)

    def explain(
        self,
        input: Tensor | PackedSequence,
        hx: Hidden | None = None,
        *,
        lengths: Lengths | None = None,
        reset: Tensor | None = None,
        program: bool = False,
    ) -> Explanation:
        """Which backend `forward` takes for these arguments, and why; runs nothing. `program` as in elman.explain."""
        return engine.explain(self._call(input, hx, lengths, reset), program=program)

    def scan(
        self, input: Tensor, state: State | None = None, lengths: Lengths | None = None, reset: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Run the layers over a padded batch, time first whatever `batch_first` says, with the state as a tuple.

        Hooks are run by calling the layer, not by this.

        Args:
            input: (T, B, I).
            state: tensors (D*L, B, H); zeros if absent.
            lengths: as in `forward`.
            reset: as in `forward`, (T, B).

        Returns:
            The output (T, B, D*H) and the final state.

        """
        self.check_input(input, None)
        steps, batch, _ = input.shape
        state = self._zeros(input, batch) if state is None else state
        if len(state) != len(self.cell.states):
            names = ", ".join(self.cell.states)
            raise RuntimeError(
                f"a state of {self.cell.name} is a tuple of {len(self.cell.states)} tensors ({names}), got {len(state)}"
            )
        for tensor, expected in zip(state, self._state_shapes(batch), strict=True):
            self.check_hidden_size(tensor, expected, "Expected state size {}, got {}")
        known = {"lengths": checked_lengths(lengths, steps, batch), "reset": checked_reset(reset, input)}
        return engine.run(self._engine_call(input, state, **known))

    def stepper(self, batch: int = 1) -> Stepper:
        """A prepared step for streams: `y = stepper(x)`, with `stepper.state` to read and set.

        Args:
            batch: how many rows every step has.

        Raises:
            UsageError: if the layer is bidirectional: the reverse direction begins at a sequence's end.

        """
        if self.bidirectional:
            raise UsageError(
                "a bidirectional layer cannot be run step by step, as its reverse direction begins at the sequence's "
                "end; use one without bidirectional=True"
            )
        weights = tuple(directions[0] for directions in self.weights)
        sizes = self.cell.state_sizes(self.hidden_size, self.proj_size)
        return Stepper(self.cell, weights, sizes, checked_batch(batch))

    def _call(
        self,
        input: Tensor | PackedSequence,
        hx: Hidden | None,
        lengths: Lengths | None,
        reset: Tensor | None,
        record: Record | None = None,
    ) -> Call:
        """The arguments of `forward`, checked in torch's order and turned time first."""
        if isinstance(input, PackedSequence):
            if lengths is not None or reset is not None or record is not None:
                raise ValueError(
                    "lengths, reset and states go with padded input; a PackedSequence carries its own lengths. "
                    "Leave them out, or pad the input with torch.nn.utils.rnn.pad_packed_sequence."
                )
            return self._packed_call(input, hx)
        return self._padded_call(input, hx, lengths, reset, record)

    def _padded_call(
        self,
        input: Tensor,
        hx: Hidden | None,
        lengths: Lengths | None,
        reset: Tensor | None,
        record: Record | None,
    ) -> Call:
        state = None if hx is None else as_state(hx, self.cell)
        self._check_dimensions(input, state)
        batched = input.dim() == 3
        inputs = self._time_first(input, batched=batched)
        steps, batch, _ = inputs.shape
        if state is None:
            state = self._zeros(inputs, batch)
        elif not batched:
            state = tuple(tensor.unsqueeze(1) for tensor in state)
        self.check_forward_args(inputs.transpose(0, 1) if self.batch_first else inputs, as_hidden(state), None)
        known_reset = checked_reset(reset, input)
        if known_reset is not None:
            known_reset = self._time_first(known_reset, batched=batched)
        known_lengths = checked_lengths(lengths, steps, batch)
        return self._engine_call(inputs, state, lengths=known_lengths, reset=known_reset, record=record)

    def _packed_call(self, input: PackedSequence, hx: Hidden | None) -> Call:
        data, batch_sizes = input.data, input.batch_sizes
        if hx is None:
            hx = as_hidden(self._zeros(data, int(batch_sizes[0])))
        else:
            hx = self.permute_hidden(hx, input.sorted_indices)
        self.check_forward_args(data, hx, batch_sizes)
        return self._engine_call(data, as_state(hx, self.cell), batch_sizes=batch_sizes)

    def _engine_call(self, input: Tensor, state: State, **extras: Any) -> Call:
        if input.is_cuda:
            self._update_flat_weights()  # cuDNN wants the weights side by side in memory
        return Call(self.cell, self.weights, input, state, dropout=self.dropout, training=self.training, **extras)

    def _check_dimensions(self, input: Tensor, state: State | None) -> None:
        name, dims = torch_name(self.cell), input.dim()
        if dims not in {2, 3}:
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

    def _time_first(self, value: Tensor, *, batched: bool) -> Tensor:
        """(T, B, ...), from the caller's (T, B, ...), (B, T, ...) or (T, ...)."""
        if not batched:
            return value.unsqueeze(1)
        return value.transpose(0, 1) if self.batch_first else value

    def _state_shapes(self, batch: int) -> list[tuple[int, int, int]]:
        """The shape of each tensor of the state, (D*L, B, H)."""
        depth = self.num_layers * (2 if self.bidirectional else 1)
        return [(depth, batch, features) for features in self.cell.state_sizes(self.hidden_size, self.proj_size)]

    def _zeros(self, input: Tensor, batch: int) -> State:
        return tuple(input.new_zeros(shape) for shape in self._state_shapes(batch))


def _is_idle(dropout: Any, num_layers: int) -> bool:
    """Whether dropout is valid but never applied: it acts between layers."""
    valid = isinstance(dropout, numbers.Real) and not isinstance(dropout, bool)
    return valid and 0 < dropout <= 1 and num_layers == 1


def refuse_projection(options: dict[str, Any]) -> None:
    """Raise torch.nn's error if there is a `proj_size` among the options of a layer that has no projection."""
    if "proj_size" in options:
        raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
