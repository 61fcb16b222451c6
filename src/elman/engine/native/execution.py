"""One layer over one batch, forward and backward: from torch's tensors to the runtime's jobs.

It knows where tensors lie and what the runtime must be told; nothing of autograd, nor of how a program is made or run.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from elman.engine.native.library import memory, numbers
from elman.engine.native.packed import Storage, packed
from elman.engine.native.programs import Programs, cell_of, parameters, programs, shapes_of
from elman.engine.native.rows import Rows
from elman.engine.program.contract import Kind, Width

Flat = Sequence[Tensor | None]
"""Weights, all fields of the cell for all directions one after the other."""


def steps_of(shape: Sequence[int]) -> int:
    """T*B of padded input, N of packed: that many steps are real at most."""
    return shape[0] * shape[1] if len(shape) == 3 else shape[0]


def tape_size(
    made: Programs, dtype: torch.dtype, shape: Sequence[int], directions: int, width: int, padded: bool
) -> int:
    """The size of a layer's tape, in numbers: what each direction saves and, of padded rows, the outputs packed.

    It is that of all steps of the input; what lies beyond the real ones is never touched.
    """
    steps = steps_of(shape)
    return directions * (made.tape_size(dtype, steps) + (steps * width if padded else 0))


class Layer:
    """One layer, all its directions, over one batch."""

    def __init__(
        self,
        cell: str,
        input: Tensor,
        state: Sequence[Tensor],
        weights: Flat,
        lengths: Tensor | None,
        sizes: Tensor | None,
        reset: Tensor | None,
        detail: bool,
        pairs: bool,
    ) -> None:
        known = cell_of(cell)
        self.directions = len(state[0])
        fields = len(weights) // self.directions
        self.rows = Rows(input, state[0].shape[1], lengths, sizes, reset)
        self.made: Programs = programs(cell, shapes_of(known, weights[:fields]), detail=detail)
        self.detail = detail
        self.pairs = pairs
        self.weights = [
            [weights[direction * fields + k].contiguous() for k in self.made.present]  # type: ignore[union-attr]
            for direction in range(self.directions)
        ]
        self.masks = [
            [self.rows.masked(weights[direction * fields + k]) for k in self.made.masks]  # type: ignore[arg-type]
            for direction in range(self.directions)
        ]
        chosen = self.rows.chosen
        self.input = (input if chosen is None else self.rows.packed(input)).contiguous()
        self.state = [(tensor if chosen is None else tensor.index_select(1, chosen)).contiguous() for tensor in state]
        self.inputs = 0 if self.made.given else input.shape[-1]
        if self.made.given:
            self.given_numbers = self._numbers_of(self.input).contiguous()
        self.width = state[0].shape[-1]
        self.shape = input.shape
        self.numbers = numbers(input.dtype)
        self.threads = torch.get_num_threads()
        # Directions do not wait for each other: where each can have threads of its own, it does not share them.
        even = self.threads % self.directions == 0
        self._threads_each = self.threads // self.directions if even else self.threads
        self.batches = [self.rows.batch(direction) for direction in range(self.directions)]

    def tape(self) -> Tensor:
        """Memory for what the forward pass leaves for the backward pass."""
        return memory(
            (tape_size(self.made, self.input.dtype, self.shape, self.directions, self.width, self.padded),), self.input
        )

    @property
    def padded(self) -> bool:
        """Whether the caller's rows have steps that are not real."""
        return self.rows.chosen is not None

    def histories(self, tape: Tensor | None) -> list[Tensor]:
        """Memory for the states of real steps, (..., D * features): with detail of all states, else of the first.

        The outputs of padded rows lie packed at the end of the tape if there is one.
        """
        columns = self.directions * self.width
        first = None
        if self.padded and tape is not None:
            begin = len(tape) - steps_of(self.shape) * columns
            first = tape[begin : begin + self.rows.real * columns].view(self.rows.real, columns)
        shape = (self.rows.real,) if self.padded else self.shape[:-1]
        others = self.state[1:] if self.detail else []
        made = [memory((*shape, self.directions * tensor.shape[-1]), self.input) for tensor in others]
        return [memory((*shape, columns), self.input) if first is None else first, *made]

    def _part(self, tensor: Tensor, direction: int) -> int:
        """The address of a direction's part of a state, or of something like it: (D, B, P)."""
        return tensor.data_ptr() + direction * tensor.stride(0) * tensor.element_size()

    def _bind(self, job: Any, kind: Kind, direction: int, arrays: Sequence[Tensor | None]) -> None:
        """Arrays by state: rows of all directions side by side, one for each real step, or one for all of them."""
        for k, (array, state) in enumerate(zip(arrays, self.state, strict=False)):
            if array is not None:
                address = array.data_ptr() + direction * state.shape[-1] * array.element_size()
                job.bind(kind, k, address, *((array.shape[-1],) if any(array.stride()[:-1]) else (0, 0)))

    def _bind_given(self, job: Any, kind: Kind, array: Tensor, numbers: Tensor) -> None:
        """What is given of every step, or its gradient: blocks of H features, and numbers, (K, steps)."""
        hidden, gates = self.made.compiled.tables.sizes[Width.H], len(self.made.compiled.cell.gates)
        job.bind(kind, 0, array.data_ptr(), array.shape[-1], count=gates, apart=hidden)
        job.bind(kind, gates, numbers.data_ptr(), 1, count=len(numbers), apart=numbers.shape[-1])

    def _numbers_of(self, array: Tensor) -> Tensor:
        """The columns behind the gates, (K, steps): the runtime takes single numbers of all rows side by side."""
        return array.flatten(0, -2).T[array.shape[-1] - self.made.given_numbers :]

    def _job(self, direction: int, program: Any, tape: Any, histories: Sequence[Tensor]) -> Any:
        batch = self.batches[direction]
        plan = self.numbers.plan(program, batch, self.inputs, self._threads_each, self.pairs)
        like, storage = self.made.packed_for(program), Storage.PAIRS if self.pairs else Storage.OWN
        kept = packed(self.numbers, like, self.weights[direction], self.inputs, plan, self.threads, storage)
        job = self.numbers.Job(program, kept.packed, batch, tape, plan)
        if self.made.given:
            self._bind_given(job, Kind.EXTRA, self.input, self.given_numbers)
        else:
            job.bind(Kind.INPUT, 0, self.input.data_ptr(), self.inputs)
        self._bind(job, Kind.NEXT, direction, histories)
        masks = zip(self.made.compiled.cell.masks, self.masks[direction], strict=True)
        for k, (kind, mask) in enumerate(masks, self.made.given):
            job.bind(Kind.EXTRA, k, mask.data_ptr(), mask.shape[-1], *(() if kind.each_step else (0,)))
        for k, tensor in enumerate(self.state):
            job.bind_initial(k, self._part(tensor, direction), tensor.shape[-1])
        return job

    def _tape_of(self, direction: int, tape: Tensor) -> Any:
        begin = direction * self.made.tape_size(tape.dtype, steps_of(self.shape))
        address = tape.data_ptr() + begin * tape.element_size()
        return self.numbers.Tape(self.made.training, self.batches[direction], address)

    def forward(self, tape: Tensor | None) -> tuple[list[Tensor], list[Tensor]]:
        """The states of real steps, as `histories` has them, and the final state; fills the tape."""
        histories = self.histories(tape)
        final = [torch.empty_like(tensor) for tensor in self.state]
        jobs = []
        for direction in range(self.directions):
            kept = None if tape is None else self._tape_of(direction, tape)
            if kept is not None:
                kept.begin()
            job = self._job(direction, self.made.inference if kept is None else self.made.training, kept, histories)
            for k, tensor in enumerate(final):
                job.bind_final(k, self._part(tensor, direction), tensor.shape[-1])
            jobs.append(job)
        self.numbers.run(jobs, self.threads)
        return histories, final

    def backward(
        self,
        histories: Sequence[Tensor],
        tape: Tensor,
        d_histories: Sequence[Tensor | None],
        d_final: Sequence[Tensor],
        *,
        wants_input: bool,
        wants_weights: bool,
    ) -> tuple[Tensor | None, list[Tensor], list[Tensor]]:
        """The gradients of the input's real steps, of the weights, if they are wanted, and, with detail, of all states.

        That of the initial state is written over `d_final`.
        """
        tapes = [self._tape_of(direction, tape) for direction in range(self.directions)]
        if tapes[0].spent:
            self.forward(tape)  # the values are the same bit for bit
        makes_input = wants_input or self.made.adds_up_inputs or self.made.given > 0
        d_inputs = [memory(tuple(self.input.shape), self.input) for _ in tapes] if makes_input else []
        whole = [memory(tuple(tensor.shape), tensor) for tensor in histories] if self.detail else []
        jobs, d_numbers = [], []
        for direction, kept in enumerate(tapes):
            kept.prepare_backward(False)
            job = self._job(direction, self.made.backward, kept, histories)
            self._bind(job, Kind.DSTATE, direction, d_histories)
            self._bind(job, Kind.ADJOINT, direction, whole)
            for k, tensor in enumerate(d_final):
                job.bind(Kind.CARRY, k, self._part(tensor, direction), tensor.shape[-1])
            if self.made.given:
                d_numbers.append(torch.empty_like(self.given_numbers))
                self._bind_given(job, Kind.DEXTRA, d_inputs[direction], d_numbers[direction])
            elif makes_input:
                job.bind(Kind.DINPUT, 0, d_inputs[direction].data_ptr(), self.inputs)
            jobs.append(job)
        self.numbers.run(jobs, self.threads)
        for d_input, own in zip(d_inputs, d_numbers, strict=False):
            self._numbers_of(d_input).copy_(own)
        d_weights = self._weight_gradients(jobs) if wants_weights else []
        for other in d_inputs[1:] if wants_input else ():
            d_inputs[0].add_(other)
        return (d_inputs[0] if wants_input else None), d_weights, whole

    def _weight_gradients(self, jobs: Sequence[Any]) -> list[Tensor]:
        """Of all directions, after their jobs have run."""
        found = []
        for job, weights in zip(jobs, self.weights, strict=True):
            gradients = [memory(tuple(tensor.shape), tensor) for tensor in weights]
            self.numbers.parameter_gradients([job], [tensor.data_ptr() for tensor in gradients], self.threads)
            found += gradients
        return found


Forward = tuple[Tensor, list[Tensor], Tensor, list[Tensor]]


def forward(
    cell: str,
    input: Tensor,
    state: Sequence[Tensor],
    weights: Flat,
    lengths: Tensor | None = None,
    sizes: Tensor | None = None,
    reset: Tensor | None = None,
    keep: bool = False,
    detail: bool = False,
    pairs: bool = False,
) -> Forward:
    """One layer forward.

    Args:
        cell: its handle.
        input: (T, B, I), or packed (N, I).
        state: initial, tensors (D, B, ·); of packed rows in their order.
        weights: all fields of the cell for each direction; masks (B, ·), or (T, B, ·) for one in each step.
        lengths: (B,) int64 of padded rows, or None.
        sizes: (T,) int64 of packed rows, or None.
        reset: (T, B) bool: which steps begin a new segment; or None.
        keep: whether backward will follow.
        detail: whether the states of every step are wanted.
        pairs: whether matrices of float32 and what is multiplied with them are rounded to bfloat16; sums are float32.

    Returns:
        The output, (T, B, D*P) or (N, D*P); the final state; the tape, without elements if nothing is kept; with detail
        the states but the first after every step, (T, B, D * features).

    """
    layer = Layer(cell, input, state, weights, lengths, sizes, reset, detail, pairs)
    tape = layer.tape() if keep else None
    nothing = input.new_empty(0) if tape is None else tape
    if layer.rows.real == 0:
        outputs, *others = [input.new_zeros(*input.shape[:-1], len(t) * t.shape[-1]) for t in state]
        return outputs, [tensor.clone() for tensor in state], nothing, others if detail else []
    (outputs, *others), final = layer.forward(tape)
    rows = layer.rows
    if rows.chosen is None:
        return outputs, final, nothing, others
    whole = [old.index_copy(1, rows.chosen, new) for old, new in zip(state, final, strict=True)]
    return rows.padded(outputs), whole, nothing, [rows.padded(tensor) for tensor in others]


def backward(
    cell: str,
    input: Tensor,
    state: Sequence[Tensor],
    weights: Flat,
    lengths: Tensor | None,
    sizes: Tensor | None,
    reset: Tensor | None,
    output: Tensor,
    tape: Tensor,
    others: Sequence[Tensor],
    d_output: Tensor | None,
    d_others: Sequence[Tensor | None],
    d_final: Sequence[Tensor | None],
    wants_input: bool,
    detail: bool = False,
    wants_weights: bool = True,
    pairs: bool = False,
) -> list[Tensor]:
    """The gradients of one layer.

    Args:
        cell: and all up to `reset`: as for `forward`.
        output: what it returned.
        tape: what it returned. Gradients are written over what is on it; that is made good if it is wanted again.
        others: the other states of every step, if it returned any.
        d_output: the gradient of the output, or None for zeros.
        d_others: the gradients of `others`, each None for zeros.
        d_final: the gradients of the final state, each None for zeros.
        wants_input: whether the gradient of the input is wanted; it is without elements if not.
        detail: as for `forward`.
        wants_weights: whether the gradients of the weights are wanted.
        pairs: as for `forward`.

    Returns:
        The gradients of the input, of each tensor of the state, and, if wanted, of each weight that there is; with
        detail also the whole gradients of all states after every step.

    """
    layer = Layer(cell, input, state, weights, lengths, sizes, reset, detail, pairs)
    given = [torch.zeros_like(old) if new is None else new for old, new in zip(state, d_final, strict=True)]
    rows = layer.rows
    if rows.real == 0:
        d_input = torch.zeros_like(input) if wants_input else input.new_empty(0)
        own = [tensor for tensor in parameters(cell_of(cell), weights) if wants_weights and tensor is not None]
        zeros = [torch.zeros_like(tensor) for tensor in (*own, output, *others)]
        return [d_input, *(d.clone() for d in given), *(zeros if detail else zeros[: -1 - len(others)])]
    d_state = [_own(tensor if rows.chosen is None else tensor.index_select(1, rows.chosen)) for tensor in given]
    histories = [output, *others]
    taken = _dense if rows.chosen is None else rows.packed
    arriving = [None if tensor is None else taken(tensor) for tensor in (d_output, *d_others)]
    if rows.chosen is not None:
        histories = [layer.histories(tape)[0], *map(rows.packed, others)]
    found, d_weights, whole = layer.backward(
        histories, tape, arriving, d_state, wants_input=wants_input, wants_weights=wants_weights
    )
    if rows.chosen is not None:
        d_state = [old.index_copy(1, rows.chosen, new) for old, new in zip(given, d_state, strict=True)]
        found = None if found is None else rows.padded(found)
        whole = [rows.padded(tensor) for tensor in whole]
    return [input.new_empty(0) if found is None else found, *d_state, *d_weights, *whole]


def _dense(tensor: Tensor) -> Tensor:
    """The tensor if it is contiguous, else a copy; where all rows are one, as in a sum's gradient, a copy of that."""
    if tensor.is_contiguous():
        return tensor
    if not any(tensor.stride()[:-1]):
        zeros = (0,) * (tensor.dim() - 1)
        return tensor[zeros].contiguous().as_strided(tensor.shape, (*zeros, 1))
    return memory(tuple(tensor.shape), tensor).copy_(tensor)


def _own(tensor: Tensor) -> Tensor:
    """A copy to be written over."""
    return tensor.clone(memory_format=torch.contiguous_format)
