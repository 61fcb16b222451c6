"""The loss gradient at the states: by time step as training has it, and by the lag from one step's loss.

It does not know modules: it works on passages whose graph is still there.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Self

import numpy as np
import torch
from torch import Tensor

from elman.diagnosis.passage import Passage
from elman.types import State

SMALLEST = 1e-33
"""Below this, float32 has no numbers of full precision."""

PIECE = 2**17
"""So many numbers are at hand in the second-level cache, in float64."""

PIECES = 6

EXACT = 1e-6
"""A rate that is closer to one is one."""


@dataclass(frozen=True, eq=False)
class Ends:
    """The loss gradient at what a passage hands on.

    Attributes:
        output: (T, B, D*P).
        final: by layer of the final state, (D, B, ·) each.
        touched: (D, T, B), whether the loss touches the output of a direction there.
        touches_final: (D, B), whether it touches the final state.
        steepest: (B,), the largest of these gradients.
    """

    output: Tensor
    final: list[State]
    touched: Tensor
    touches_final: Tensor
    steepest: Tensor

    @classmethod
    def of(cls, output: Tensor, final: list[State]) -> Self:
        """Look at the gradients."""
        directions = len(final[0][0])
        sizes = _largest(output.reshape(*output.shape[:2], directions, -1)).permute(2, 0, 1)
        ends = torch.stack([_largest(tensor) for state in final for tensor in state]).amax(0)
        return cls(output, final, sizes != 0, ends != 0, torch.maximum(sizes.amax((0, 1)), ends.amax(0)))

    @cached_property
    def uses_final(self) -> bool:
        """Whether the loss touches the final state."""
        return bool(self.touches_final.any())

    @cached_property
    def single(self) -> bool:
        """Whether the loss touches one step at most, the final state counting as the last one's."""
        steps = self.touched.any(2).any(0)
        steps[-1] |= self.uses_final
        return int(steps.sum()) <= 1

    def longest_gap(self, passage: Passage, direction: int) -> int:
        """How many steps of a row lie at most between a step and the next one that the loss touches.

        As a direction reads them, and without a step that begins anew in between. Counted back from a row's last one,
        all rows together say which steps the loss touches: a maximum over time picks others in every row.
        """
        there = passage.in_reading_order(self.touched[direction], direction).numpy(force=True).copy()
        rows = self.touches_final[direction].nonzero().flatten().cpu()
        if passage.lengths is not None:
            rows = rows[passage.lengths[rows] > 0]
        there[-1 if passage.lengths is None else passage.lengths[rows] - 1, rows] = True
        if there.all():
            return 0
        time = np.arange(len(there))[:, None]
        lag = ((there * (time + 1)).max(0) - 1) - time
        seen = np.zeros(len(there), np.bool_)
        seen[lag[there]] = True
        there = (lag >= 0) & seen[lag]
        before = np.full(there.shape, -1)
        before[1:] = np.where(there, time, -1)[:-1]
        begins = passage.begins(direction)
        if begins is not None:
            before = np.where(begins.numpy(force=True), time - 1, before)
        gaps = (time - np.maximum.accumulate(before) - 1) * there
        return int(gaps.max(initial=0))


def _largest(gradient: Tensor) -> Tensor:
    """Of the features, without their signs; not-a-number where one is."""
    return torch.maximum(gradient.amax(-1), -gradient.amin(-1))


def whole_gradients(passage: Passage) -> list[Tensor]:
    """By layer (T, B): the norm of the gradient at the whole state after each step, by the last backward pass."""
    return [passage.in_reading_order(state_norms(state), layer) for layer, state in enumerate(passage.gradients())]


def state_norms(gradients: State) -> Tensor:
    """The norm over the features of all tensors of a state; in float64, as float32 has no squares below 1e-38."""
    return reduce(torch.hypot, [_norms(tensor) for tensor in gradients])


def _norms(values: Tensor) -> Tensor:
    """Over the features; piece by piece, as torch makes a copy in float64 of all that it is given."""
    pieces = torch.split(values, max(1, PIECE // max(1, values[0].numel()))) if values.numel() > PIECE else [values]
    return torch.cat([torch.linalg.vector_norm(piece, dim=-1, dtype=torch.float64) for piece in pieces])


def by_lag(norms: Tensor, begins: Tensor | None = None) -> list[float]:
    """The norm over the batch by lag from each row's last step that has a gradient.

    Rows that are too short for a lag, or begin anew within it, are left out there, and the others count for them.

    Args:
        norms: (T, B) in reading order.
        begins: (T, B), whether no state comes from the step before; None if all do.
    """
    values = norms.numpy(force=True)
    steps, batch = values.shape
    time = np.arange(steps)[:, None]
    last = ((values != 0) * (time + 1)).max(0) - 1
    places = last - time
    inside = places >= 0
    if begins is not None:
        inside &= places >= (begins.numpy(force=True) * (time <= last) * time).max(0)
    squares = np.where(inside, values[places, np.arange(batch)], 0) ** 2  # places below zero count from the end
    rows = inside.sum(1)
    kept = rows > 0
    found: list[float] = np.sqrt(squares.sum(1)[kept] * batch / rows[kept]).tolist()
    return found


def decay(norms: Sequence[float]) -> tuple[float, float]:
    """The factor per step of lag, and its standard error; not-a-number where fewer than two lags have a gradient.

    A straight line through the logarithms, without the first eighth of the lags, where the direction still settles.
    The error comes from the slopes of PIECES pieces, as neighbouring lags are far from independent.
    """
    lags = [lag for lag, norm in enumerate(norms) if SMALLEST < norm < math.inf]
    lags = lags[-(-len(lags) // 8) if len(lags) > 3 else 0 :]
    if len(lags) < 2:
        return math.nan, math.nan
    logs = [math.log(norms[lag]) for lag in lags]
    rate = math.exp(_slope(lags, logs))
    size = len(lags) // PIECES
    if size < 2:
        return rate, rate * _spread(lags, logs)
    pieces = [slice(i * size, (i + 1) * size) for i in range(PIECES)]
    slopes = [_slope(lags[piece], logs[piece]) for piece in pieces]
    return rate, rate * math.hypot(*_centred(slopes)) / math.sqrt((PIECES - 1) * PIECES)


def half_life(rate: float) -> float:
    """Steps of lag after which half is left; infinite where nothing is lost."""
    if math.isnan(rate):
        return math.nan
    return math.inf if rate > 1 - EXACT else 0.0 if rate == 0 else math.log(0.5) / math.log(rate)


def _centred(values: Sequence[float]) -> list[float]:
    """Their distances from their mean."""
    mean = sum(values) / len(values)
    return [value - mean for value in values]


def _slope(lags: Sequence[float], logs: Sequence[float]) -> float:
    """Of the straight line through points."""
    centred = _centred(lags)
    return sum(lag * log for lag, log in zip(centred, logs, strict=True)) / sum(lag * lag for lag in centred)


def _spread(lags: Sequence[float], logs: Sequence[float]) -> float:
    """The standard error of the slope of a few points, by their distances from the line; no number of two points."""
    if len(lags) < 3:
        return math.nan
    slope, centred = _slope(lags, logs), _centred(lags)
    left = [log - slope * lag for lag, log in zip(centred, _centred(logs), strict=True)]
    return math.hypot(*left) / math.hypot(*centred) / math.sqrt(len(lags) - 2)
