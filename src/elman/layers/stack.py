"""What all layers share: a stack of recurrent layers over a batch of sequences, computed by Elman's engine.

It does not know which backend runs it, nor the mathematics of a cell, nor how a class of layers is constructed: what a
deriving class brings is listed at the top of `Parameters`, and at the top of `Stack`.
"""

from dataclasses import replace
from typing import Any, Literal, overload

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from elman import engine
from elman.cells import Cell, Weights
from elman.engine import Call, Explanation
from elman.engine.drop import draw, dropout, keep
from elman.engine.record import Record
from elman.errors import UsageError
from elman.layers import single
from elman.layers.arguments import Given, Hidden, Lengths, as_hidden, as_state, checked_lengths, checked_reset, selected
from elman.layers.parameters import Parameters
from elman.layers.states import States
from elman.layers.stepper import Stepper, checked_batch, checked_storage
from elman.randomness import seeded
from elman.types import State


class Stack(Parameters):
    """A stack of recurrent layers over a batch of sequences."""

    batch_first: bool
    dropout: float

    def _given(
        self, input: Tensor | PackedSequence, hx: Hidden | None, lengths: Any, reset: Any, states: bool
    ) -> Given:
        """The arguments of `forward`, checked and turned time first."""
        raise NotImplementedError

    def _check_scan(self, input: Tensor, state: State | None) -> None:
        """The arguments of `scan`.

        Raises:
            RuntimeError, UsageError: if their shapes are wrong.

        """
        raise NotImplementedError

    @overload
    def forward(
        self, input: Tensor, hx: Hidden | None = None, lengths: Lengths | None = None, reset: Tensor | None = None
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
        lengths: Lengths | None = None,
        reset: Tensor | None = None,
        states: bool | None = None,  # torch's exporter to ONNX hands defaults on by position, and False as a tensor
    ) -> tuple[Tensor | PackedSequence, Hidden] | tuple[Tensor, Hidden, States]:
        """Run the layers as torch.nn does, with three additions, best given by name.

        Args:
            input: (T, B, I), or (B, T, I) with batch_first, or (T, I) for one sequence without a batch, or a
                PackedSequence.
            hx: the initial state, in torch.nn's form, (D*L, B, H) each; zeros, or what was learnt, if absent. Of layers
                of different sizes, a list with the state of each layer, (D, B, H) each.
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
        if lengths is None and reset is None and not states and (found := single.again(self, input, hx)) is not None:
            return found
        given = self._given(input, hx, lengths, reset, bool(states))
        records = [Record() for _ in self.hidden_sizes] if states else None
        output, state = self._run(given, records)
        result = self._results(input, output, state)
        if records is None:
            return result
        seen = States(records, self.cell, batch_first=self.batch_first, batched=input.dim() == 3)  # type: ignore[union-attr]
        return *result, seen

    def _run(self, given: Given, records: list[Record] | None = None) -> tuple[Tensor, list[State]]:
        """Output and, for each layer, the final state."""
        final: list[State] = []
        value = given.input
        for depth, weights in enumerate(self.weights):
            record = None if records is None else records[depth]
            output, state = engine.run(self._call(depth, weights, value, given, record))
            final.append(state)
            passed = output if depth == self.num_layers - 1 else self._dropped(output, given)
            value = passed + value if self.options.residual and depth > 0 else passed
        return value, final

    def _call(
        self, depth: int, directions: tuple[Weights, ...], input: Tensor, given: Given, record: Record | None = None
    ) -> Call:
        """The call of one layer."""
        cell = self.cell
        weights = tuple([self._drawn(cell, each, depth, given) for each in directions])
        extent = (given.batch_sizes, given.lengths, given.reset)
        return Call(cell, weights, input, given.state[depth], *extent, record)

    def _drawn(self, cell: Cell, weights: Weights, depth: int, given: Given) -> Weights:
        """Weights as a call takes them: derived from the parameters, with random masks and dropped weights."""
        rate = self.options.weight_dropout
        if rate and self.training and weights.hh is not None:
            mask = keep(tuple(weights.hh.shape), rate, weights.hh, scaled=True)
            weights = weights.replaced(hh=weights.hh * mask)
        if cell.masks:
            sizes, batch = self._state_sizes(depth), given.state[depth][0].shape[1]
            drawn = {m.name: draw(m, given.steps, batch, sizes[m.state], weights.ih) for m in cell.masks}
            weights = weights.replaced(**drawn)
        return cell.derived(weights)

    def _dropped(self, output: Tensor, given: Given) -> Tensor:
        """What the next layer reads of an output."""
        if not self.training:
            return output
        packed = given.batch_sizes is not None
        if self.options.locked_dropout:
            shape = (given.state[0][0].shape[1], output.shape[-1])
            mask = keep(shape, self.options.locked_dropout, output, scaled=True)
            packing = given.packing() if packed else None
            output = output * (mask if packing is None else mask.index_select(0, packing.index % shape[0]))
        return dropout(output, self.dropout, None if packed else given.packing)

    def _results(self, input: Tensor | PackedSequence, output: Tensor, state: list[State]) -> tuple[Any, Hidden]:
        """Output and final state in the caller's form."""
        if isinstance(input, PackedSequence):
            packed = PackedSequence(output, input.batch_sizes, input.sorted_indices, input.unsorted_indices)
            return packed, self._hidden(selected(state, input.unsorted_indices))
        if input.dim() == 2:
            return output.squeeze(1), self._hidden([tuple(tensor.squeeze(1) for tensor in each) for each in state])
        return output.transpose(0, 1) if self.batch_first else output, self._hidden(state)

    def _hidden(self, state: list[State]) -> Hidden:
        """The state of all layers as the caller has it."""
        if len(set(self.hidden_sizes)) > 1:
            return [as_hidden(each) for each in state]
        return as_hidden(self._stacked(state))

    def _stacked(self, state: list[State]) -> State:
        """The state of layers of one size: tensors (D*L, B, ·)."""
        return state[0] if len(state) == 1 else tuple(torch.cat(tensors) for tensors in zip(*state, strict=True))

    def _by_layer(self, hx: Hidden) -> list[State]:
        """The caller's state by layer: tensors (D, B, ·)."""
        if len(set(self.hidden_sizes)) > 1:
            return [as_state(each, self.cell) for each in hx]
        count = len(self._suffixes)
        stacked = as_state(hx, self.cell)
        if self.num_layers == 1:
            return [stacked]
        return [tuple(tensor[k * count : (k + 1) * count] for tensor in stacked) for k in range(self.num_layers)]

    def _time_first(self, value: Tensor, *, batched: bool) -> Tensor:
        """(T, B, ...), from the caller's (T, B, ...), (B, T, ...) or (T, ...)."""
        if not batched:
            return value.unsqueeze(1)
        return value.transpose(0, 1) if self.batch_first else value

    def _extent(self, input: Tensor, lengths: Lengths | None, reset: Tensor | None) -> dict[str, Tensor | None]:
        """`lengths` and `reset` of padded input in the caller's form, checked."""
        batched, known = input.dim() == 3, checked_reset(reset, input)
        turned = None if known is None else self._time_first(known, batched=batched)
        steps, batch, *_ = self._time_first(input, batched=batched).shape
        return {"lengths": checked_lengths(lengths, steps, batch), "reset": turned}

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
        self._check_scan(input, state)
        steps, batch, _ = input.shape
        known = {"lengths": checked_lengths(lengths, steps, batch), "reset": checked_reset(reset, input)}
        before = self._initial(input, batch) if state is None else self._by_layer(as_hidden(state))
        output, after = self._run(Given(input, before, **known))
        return output, self._stacked(after)

    def stepper(self, batch: int = 1, *, weights: torch.dtype | None = None) -> Stepper:
        """A prepared step for streams: `y = stepper(x)`, with `stepper.state` to read and set.

        It computes what the layer does in evaluation mode, whatever mode that is in.

        Args:
            batch: how many rows every step has.
            weights: torch.bfloat16 or torch.int8 to keep a float32 layer's matrices in a half or a quarter of the
                memory, since a step of few rows takes as long as reading them. All is computed in float32; bfloat16 has
                8 bits of precision, int8 multiples of a 127th of the largest value of each row.

        Raises:
            UsageError: if the layer is bidirectional, as the reverse direction begins at a sequence's end; if weights
                are asked for in another type.

        """
        if self.bidirectional:
            raise UsageError(
                "a bidirectional layer cannot be run step by step, as its reverse direction begins at the sequence's "
                "end; use one without bidirectional=True"
            )
        cell, stack = self.evaluated()
        own = tuple(directions[0] for directions in stack)
        storage = checked_storage(weights, own[0].ih.dtype)
        initial = self._initial(own[0].ih.detach(), checked_batch(batch))
        forms = {"form": self._hidden, "parse": self._by_layer}
        return Stepper(cell, own, initial, **forms, residual=self.options.residual, storage=storage)

    def by_layer(self, hx: Hidden | None, batch: int) -> list[State]:
        """A state in the caller's form by layer, tensors (D, B, ·); what `batch` rows begin with, if it is None."""
        return self._initial(self.weights[0][0].ih, batch) if hx is None else self._by_layer(hx)

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
        given = self._given(input, hx, lengths, reset, states=False)
        with seeded(0):  # a call draws masks
            call = self._call(0, self.weights[0], given.input, given)
        found = engine.explain(call, program=program)
        return replace(found, sizes=found.sizes | {"L": self.num_layers})
