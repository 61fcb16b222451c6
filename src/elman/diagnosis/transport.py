"""How a small change travels through the steps of one layer: how far an input reaches, and at what rate it grows.

It sends a random vector backwards from the last output through the Jacobians of all steps, on a few rows.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from elman import engine
from elman.diagnosis.flow import state_norms
from elman.diagnosis.sample import Sample
from elman.engine.record import Record

REACHED = 0.01
"""The horizon ends where an input moves the output by less than this part of what the closest input does."""


@dataclass(frozen=True)
class Transport:
    """What was measured.

    Attributes:
        input_by_lag: |v dy_t/dx_(t-k)| for k = 0, 1, ...: for a random v the root of its mean square is the Frobenius
            norm of that Jacobian.
        horizon: the lag from which on that is less than REACHED of its value at lag 0; infinite if it never is.
        lyapunov_exponent: the mean growth of the logarithm of the state's gradient for each step back, after a quarter
            of the steps, in which a random vector turns into the leading direction.

    """

    input_by_lag: list[float]
    horizon: float
    lyapunov_exponent: float


def transport(sample: Sample, generator: torch.Generator) -> Transport:
    """Measure it on a sample. The random vectors come from `generator`."""
    found = _travelled(sample, torch.promote_types(sample.inputs.dtype, torch.float32), generator)
    if not math.isfinite(found.lyapunov_exponent):  # the states may have left float32
        found = _travelled(sample, torch.float64, generator)
    return found


def _travelled(sample: Sample, dtype: torch.dtype, generator: torch.Generator) -> Transport:
    record, precise = Record(), sample.to(dtype)
    inputs = precise.inputs.detach().requires_grad_()
    output, _ = engine.run(precise.call(inputs, record))
    vector = torch.randn(output[-1].shape, generator=generator).to(output)
    (moved,) = torch.autograd.grad(output[-1], inputs, vector)
    assert record.gradients is not None
    by_lag = torch.linalg.vector_norm(moved, dim=(1, 2), dtype=torch.float64).flip(0).tolist()
    smallest = torch.finfo(dtype).tiny * 1e5
    return Transport(by_lag, horizon(by_lag), _growth(state_norms(record.gradients)[0].flip(0), smallest))


def horizon(by_lag: list[float]) -> float:
    """The lag from which on all values are less than REACHED of the first; infinite if the last is not."""
    limit = REACHED * by_lag[0]
    above = [lag for lag, value in enumerate(by_lag) if not value < limit]
    last = above[-1] if above else 0
    return math.inf if last == len(by_lag) - 1 else float(last + 1)


def _growth(norms: Tensor, smallest: float) -> float:
    """The mean growth of ln |gradient| per step of lag, over rows; norms (T, R) by lag."""
    rates = []
    for row in norms.numpy(force=True).T:
        known = np.flatnonzero((row > smallest) & (row < math.inf))
        last = int(known[-1]) if len(known) else 0
        first = min(max(1, last // 4), last - 1)
        whole = last >= 1 and first in known
        rates.append(math.log(row[last] / row[first]) / (last - first) if whole else -math.inf)
    return sum(rates) / len(rates)
