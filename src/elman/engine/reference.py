"""The reference: a Python loop over the cell's step. It defines what correct is.

It runs any cell on any device in any dtype, differentiates twice, and knows nothing of speed.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from elman.cells import Cell, Weights
from elman.engine.base import Backend
from elman.engine.call import Call
from elman.engine.packing import dropout
from elman.types import State


class Reference(Backend):
    name = "reference"
    means = "a Python loop over the cell's step"
    slow = True

    def refuses_step(self, cell: Cell, weights: Weights, tensors: Sequence[Tensor]) -> str | None:  # noqa: ARG002
        return None

    def run(self, call: Call) -> tuple[Tensor, State]:
        packing = call.packing()
        lengths = packing.lengths if packing else None
        value = packing.unpack(call.input) if packing and call.packed else call.input
        final: list[State] = []
        for depth, directions in enumerate(call.weights):
            if depth > 0:
                value = dropout(value, call.active_dropout, packing)
            outputs: list[Tensor] = []
            for direction, weights in enumerate(directions):
                initial = tuple(tensor[len(final)] for tensor in call.state)
                output, state = scan(
                    call.cell, weights, value, initial, lengths=lengths, reset=call.reset, reverse=direction == 1
                )
                outputs.append(output)
                final.append(state)
            value = torch.cat(outputs, -1)
        output = packing.pack(value) if packing and call.packed else value
        return output, tuple(torch.stack(tensors) for tensors in zip(*final, strict=True))

    def step(self, cell: Cell, weights: Weights, input: Tensor, state: State) -> State:
        return cell.step(weights.project(input), state, weights)


def scan(
    cell: Cell,
    weights: Weights,
    inputs: Tensor,
    state: State,
    *,
    lengths: Tensor | None = None,
    reset: Tensor | None = None,
    reverse: bool = False,
) -> tuple[Tensor, State]:
    """Run one cell over time, in one direction.

    Args:
        cell: the time step.
        weights: of this layer and direction.
        inputs: (T, B, I), padded.
        state: initial state, tensors (B, H).
        lengths: (B,) int64; None for T everywhere.
        reset: (T, B) bool: which steps begin a new segment.
        reverse: read each row from its own end to its beginning.

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
    projected = weights.project(inputs).unbind()
    outputs: list[Tensor] = []
    for t in reversed(range(steps)) if reverse else range(steps):
        if fresh is not None:
            state = tuple(tensor.masked_fill(fresh[t], 0) for tensor in state)
        following = cell.step(projected[t], state, weights)
        output = following[0]
        if real is not None:
            output = output.masked_fill(~real[t], 0)
            following = tuple(torch.where(real[t], new, old) for new, old in zip(following, state, strict=True))
        state = following
        outputs.append(output)
    return torch.stack(outputs[::-1] if reverse else outputs), state


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
