"""The reference: a Python loop over the cell's step. It defines what correct is.

It runs any cell on any device in any dtype, differentiates twice, and knows nothing of speed.
"""

import weakref
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from elman.cells import Cell, Weights
from elman.engine.base import Backend
from elman.engine.call import Call
from elman.engine.record import Record
from elman.engine.watching import in_a_batch
from elman.errors import UsageError
from elman.types import State


class Reference(Backend):
    name = "reference"
    means = "a Python loop over the cell's step"
    slow = True

    def refuses_step(self, cell: Cell, weights: Weights, tensors: Sequence[Tensor]) -> str | None:  # noqa: ARG002
        return None

    def run(self, call: Call) -> tuple[Tensor, State]:
        packing = call.packing() if call.packed else None
        lengths = packing.lengths if packing else call.lengths
        inputs = packing.unpack(call.input) if packing else call.input
        outputs: list[Tensor] = []
        final: list[State] = []
        seen = None if call.record is None else _Seen(call.record)
        for direction, weights in enumerate(call.weights):
            output, state = scan(
                call.cell,
                weights,
                inputs,
                tuple(tensor[direction] for tensor in call.state),
                lengths=lengths,
                reset=call.reset,
                reverse=direction == 1,
                see=None if seen is None else partial(seen.step, direction),
            )
            outputs.append(output)
            final.append(state)
        if seen is not None:
            seen.end(lengths)
        value = torch.cat(outputs, -1)
        output = packing.pack(value) if packing else value
        return output, tuple(torch.stack(tensors) for tensors in zip(*final, strict=True))

    def step(self, cell: Cell, weights: Weights, input: Tensor, state: State) -> State:
        return cell.step(cell.project(input, weights), _own(state), weights)


def scan(
    cell: Cell,
    weights: Weights,
    inputs: Tensor,
    state: State,
    *,
    lengths: Tensor | None = None,
    reset: Tensor | None = None,
    reverse: bool = False,
    see: Callable[[State], None] | None = None,
) -> tuple[Tensor, State]:
    """Run one cell over time, in one direction.

    Args:
        cell: the time step.
        weights: of this layer and direction; masks (B, ·), or (T, B, ·).
        inputs: (T, B, I), padded.
        state: initial state, tensors (B, H).
        lengths: (B,) int64; None for T everywhere.
        reset: (T, B) bool: which steps begin a new segment.
        reverse: read each row from its own end to its beginning.
        see: is told the state after each step in the order of reading, also of rows that have ended.

    Returns:
        The outputs (T, B, P), aligned with the inputs, zero beyond each row's length; and the final state.

    Raises:
        RuntimeError: if T is 0, as torch does.

    """
    steps = len(inputs)
    if steps == 0:
        raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
    real = None if lengths is None else _real(lengths, inputs)
    fresh = None if reset is None else _fresh(reset, real, reverse=reverse)
    if real is not None:
        # Whatever the padding holds, NaN included, reaches neither a value nor a gradient.
        inputs = inputs.masked_fill(~real, 0)
    projected = (inputs if weights.given else cell.project(inputs, weights)).unbind()
    masked = bool(cell.masks)
    outputs: list[Tensor] = []
    for t in reversed(range(steps)) if reverse else range(steps):
        if fresh is not None:
            state = tuple(tensor.masked_fill(fresh[t], 0) for tensor in state)
        following = cell.step(projected[t], _own(state), weights.at(t) if masked else weights)
        if not isinstance(following, tuple) or [s.shape for s in following] != [s.shape for s in state]:
            raise UsageError(_not_a_state(cell, following, state))
        if see is not None:
            see(following)
        output = following[0]
        if real is not None:
            output = output.masked_fill(~real[t], 0)
            following = tuple(torch.where(real[t], new, old) for new, old in zip(following, state, strict=True))
        state = following
        outputs.append(output)
    return torch.stack(outputs[::-1] if reverse else outputs), state


def _own(state: State) -> State:
    """The state as a step's own, which may work in place: neither the caller's nor an output is written over."""
    return tuple(tensor.clone() for tensor in state)


def _not_a_state(cell: Cell, found: object, state: State) -> str:
    wanted = ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in zip(cell.states, state, strict=True))
    if isinstance(found, tuple):
        got = "a tuple of " + ", ".join(str(tuple(value.shape)) for value in found)
    else:
        got = f"a {type(found).__name__}" if found is not None else "nothing"
    return f"the step of the cell '{cell.name}' must return a tuple of its states, {wanted}, but returns {got}"


def _real(lengths: Tensor, inputs: Tensor) -> Tensor:
    """(T, B, 1): which steps lie within their row's length."""
    time = torch.arange(len(inputs), device=inputs.device)
    return (time[:, None] < lengths.to(inputs.device)).unsqueeze(-1)


def _fresh(reset: Tensor, real: Tensor | None, *, reverse: bool) -> Tensor:
    """(T, B, 1): before which steps the state is zeroed, in this direction of reading.

    Forward, the step that begins a segment. In reverse, the last step of the segment before: one earlier.
    """
    starts = reset.unsqueeze(-1)
    if real is not None:
        starts = starts & real
    if reverse:
        starts = torch.cat([starts[1:], torch.zeros_like(starts[:1])])
    return starts


class _Seen:
    """What happens to the states of one layer, for a record.

    Hooks of the graph hold it, so it holds no part of the graph itself once the layer has run, nor the record.
    """

    def __init__(self, record: Record) -> None:
        self._record = weakref.ref(record)
        self._states: list[list[State]] = []  # by direction, in the order of reading
        self._zeros: list[list[State]] = []
        self._gradients: dict[tuple[int, int, int], Tensor] = {}

    def step(self, direction: int, state: State) -> None:
        if direction == len(self._states):
            self._states.append([])
        number = len(self._states[direction])
        self._states[direction].append(state)
        for k, tensor in enumerate(state):
            if tensor.requires_grad and not torch.compiler.is_compiling():  # a graph has nobody to tell
                tensor.register_hook(partial(self._came, direction, number, k))

    def _came(self, direction: int, number: int, k: int, gradient: Tensor) -> None:
        if in_a_batch(gradient):  # many at once, of which none is that of the state
            return
        self._gradients[direction, number, k] = gradient.detach()
        record = self._record()
        if number == 0 and record is not None:
            record.gradients = self._stacked(
                [
                    [
                        tuple(self._gradients.get((d, n, i), zero) for i, zero in enumerate(state))
                        for n, state in enumerate(steps)
                    ]
                    for d, steps in enumerate(self._zeros)
                ]
            )

    def end(self, lengths: Tensor | None) -> None:
        values = self._stacked(self._states)
        if lengths is not None:
            real = _real(lengths, values[0][0])
            values = tuple(tensor.masked_fill(~real, 0) for tensor in values)
        record = self._record()
        if record is not None:
            record.values = values
        zero = tuple(tensor.detach().new_zeros(()).expand(tensor.shape) for tensor in self._states[0][0])
        self._zeros = [[zero] * len(steps) for steps in self._states]
        self._states = []

    @staticmethod
    def _stacked(states: list[list[State]]) -> State:
        """Tensors (D, T, B, ·) by state."""
        by_time = [steps if direction == 0 else steps[::-1] for direction, steps in enumerate(states)]
        return tuple(
            torch.stack([torch.stack([step[k] for step in steps]) for steps in by_time])
            for k in range(len(states[0][0]))
        )
