"""What goes back from the last step of a few rows: the loss of that step alone, and random vectors.

The rows are taken through the stack once more, with a copy of them for each thing that is sent back: for every
direction a random vector from its last output, through one layer, and its loss gradient through all. So one call for
each depth, and one back, brings how far an input reaches, the Lyapunov exponent, and the gradient by lag. Through the
layers of the other direction the loss would come from the other end, and over all steps the other way round.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from elman import engine
from elman.diagnosis.few import Few, of_own_direction
from elman.diagnosis.flow import state_norms
from elman.diagnosis.sample import detached
from elman.engine import Call
from elman.engine.record import Record

REACHED = 0.01
"""The horizon ends where an input moves the output by less than this part of what the closest input does."""


@dataclass(frozen=True, eq=False)
class Transport:
    """What was measured of one layer in one direction.

    Attributes:
        input_by_lag: |v dy_t/dx_(t-k)| for k = 0, 1, ...: for a random v the root of its mean square is the Frobenius
            norm of that Jacobian.
        horizon: the lag from which on that is less than REACHED of its value at lag 0; infinite if it never is.
        lyapunov_exponent: the mean growth of the logarithm of the state's gradient for each step back, after a quarter
            of the steps, in which a random vector turns into the leading direction.
        last: (T, R) in the order of reading, the norm of the gradient at the states with the loss of each row's last
            step alone, by way of the layers in this direction.

    """

    input_by_lag: list[float]
    horizon: float
    lyapunov_exponent: float
    last: Tensor


def transport(few: Few, generator: torch.Generator) -> list[Transport]:
    """Measure it on a few rows, by layer. The random vectors come from `generator`."""
    found = _travelled(few, torch.promote_types(few.input.dtype, torch.float32), generator)
    if not all(math.isfinite(each.lyapunov_exponent) for each in found):  # the states may have left float32
        found = _travelled(few, torch.float64, generator)
    return found


def _travelled(few: Few, dtype: torch.dtype, generator: torch.Generator) -> list[Transport]:
    passage, copies = few.passage, 2 * few.passage.directions
    value, there = few.input.to(dtype).repeat(1, copies, 1), []
    for depth, (weights, given) in enumerate(zip(passage.weights, few.first, strict=True)):
        read, record = value.detach().requires_grad_(), Record()
        state = tuple(tensor.to(dtype).repeat(1, copies, 1) for tensor in given)
        call = Call(passage.cell, tuple(detached(each, dtype) for each in weights), read, state, record=record)
        output, final = engine.run(call)
        value = output + read if passage.residual and depth > 0 else output
        there.append((read, record, output, final, _vectors(output, passage.directions, generator)))
    found: list[Transport] = []
    at_output, at_finals = few.last_step_only()
    at_output = at_output.to(dtype)
    for depth in reversed(range(len(there))):
        read, record, output, final, vectors = there[depth]
        at_final = [F.pad(each.to(dtype), (0, 0, vectors.shape[1], 0)) for each in at_finals[depth]]
        (moved,) = torch.autograd.grad((output, *final), read, (torch.cat([vectors, at_output], 1), *at_final))
        own = moved[:, vectors.shape[1] :]
        if depth > 0:
            at_output = of_own_direction(own + at_output if passage.residual else own, passage.directions)
        found = _seen(moved, record, passage.directions) + found
    return found


def _vectors(output: Tensor, directions: int, generator: torch.Generator) -> Tensor:
    """(T, D*R, D*P): in the rows of each direction a random vector at the output that it reads last."""
    rows, width = output.shape[1] // (2 * directions), output.shape[2] // directions
    vectors = output.new_zeros(len(output), directions, rows, directions, width)
    for direction in range(directions):
        vector = torch.randn(rows, width, generator=generator)
        vectors[0 if direction else -1, direction, :, direction] = vector.to(output)
    return vectors.view(len(output), directions * rows, -1)


def _seen(moved: Tensor, record: Record, directions: int) -> list[Transport]:
    """What came to the inputs (T, 2*D*R, I) and to the states of a layer, by direction."""
    assert record.gradients is not None
    steps, copies, smallest = len(moved), 2 * directions, torch.finfo(moved.dtype).tiny * 1e5
    norms = state_norms(record.gradients).reshape(directions, steps, copies, -1)
    inputs = torch.linalg.vector_norm(moved.reshape(steps, copies, -1), dim=2, dtype=torch.float64)
    found = []
    for direction in range(directions):
        read, came = inputs[:, direction], norms[direction]
        if direction:  # in the order of reading
            read, came = read.flip(0), came.flip(0)
        by_lag = read.flip(0).tolist()
        growth = _growth(came[:, direction].flip(0), smallest)
        found.append(Transport(by_lag, horizon(by_lag), growth, came[:, directions + direction]))
    return found


def horizon(by_lag: list[float]) -> float:
    """The lag from which on all values are less than REACHED of the first, or zero; infinite if the last is neither."""
    limit = REACHED * by_lag[0]
    if math.isnan(limit):
        return math.nan
    above = [lag for lag, value in enumerate(by_lag) if not (value < limit or value == 0)]
    if not above:
        return 0.0
    return math.inf if above[-1] == len(by_lag) - 1 else float(above[-1] + 1)


def _growth(norms: Tensor, smallest: float) -> float:
    """The mean growth of ln |gradient| per step of lag, over rows; norms (T, R) by lag.

    Minus infinity where nothing is left from one step to the next, as of a nilpotent Jacobian; not-a-number where that
    is what came back.
    """
    rates = []
    for row in norms.T.tolist():
        if any(map(math.isnan, row)):
            return math.nan
        known = [lag for lag, norm in enumerate(row) if smallest < norm < math.inf]
        last = known[-1] if known else 0
        first = min(max(1, last // 4), last - 1)
        gone = row[last + 1 : last + 2] == [0] and row[last] > math.sqrt(smallest)  # and not by rounding to zero
        whole = last >= 1 and smallest < row[first] < math.inf and not gone
        rates.append(math.log(row[last] / row[first]) / (last - first) if whole else -math.inf)
    return sum(rates) / len(rates)
