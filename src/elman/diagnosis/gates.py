"""What the gates of a cell do: how much of the time each is at its limits, unit by unit and step by step.

It knows no cell: it runs `Cell.step` once on many states and watches which function is applied to which gate. The
names follow the values: a piece of the projected input has its gate's name, what is made of one gate keeps it, whatever
states go in; where only states go in, theirs count; a nonlinearity's result begins without a name.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.overrides import TorchFunctionMode

from elman.cells import Cell
from elman.diagnosis.sample import Sample

SAMPLES, ROWS = 128, 8
BINS = 20
SHUT = 1000


@dataclass(frozen=True)
class Gate:
    """One nonlinearity of a cell.

    A value counts as at its limit where the slope is less than 4 % of the steepest: a sigmoid below 0.0101 or above
    0.9899, a tanh beyond ±0.98; a relu at zero.

    Shares are not-a-number where a value is.

    Attributes:
        name: of the gate, as in the cell's equations.
        called: what it is called in words; empty where the cell does not say.
        function: sigmoid, tanh or relu.
        low: the share of values at the lower limit.
        high: the share at the upper one; none for a relu.
        shut: the share of values so near the lower limit that nothing comes through over SHUT steps.
        dead: the share of units that were at the lower limit at all times in all rows.
        times: the steps that were looked at.
        by_time: the share at either limit at each of them.
        by_unit: the share at either limit for each unit.
        edges: of the bins of the histogram, from the least value to the largest.
        histogram: the share of values in each bin.
    """

    name: str
    called: str
    function: str
    low: float
    high: float
    shut: float
    dead: float
    times: list[int]
    by_time: list[float]
    by_unit: list[float]
    edges: tuple[float, float]
    histogram: list[float]

    @property
    def words(self) -> str:
        """Name and what it is called: forget gate f."""
        return f"{self.called} {self.name}" if self.called else self.name

    @property
    def share(self) -> float:
        """The share of values at either limit."""
        return self.low + self.high


LIMITS: dict[str, tuple[float, float, tuple[float, float] | None]] = {
    "sigmoid": (0.0101, 0.9899, (0.0, 1.0)),
    "tanh": (-0.98, 0.98, (-1.0, 1.0)),
    "relu": (0.0, float("inf"), None),
}
"""For each nonlinearity its lower and upper limit, and its range."""


def looked_at(steps: int, rows: int) -> Tensor:
    """The steps of so many that make about SAMPLES steps and rows."""
    return torch.arange(0, steps, max(1, -(-steps * rows // SAMPLES)))


def gates(samples: Sequence[Sample]) -> list[list[Gate]]:
    """What the nonlinearities do at the steps and rows of samples of the same size: the directions of a layer."""
    seen = [_seen(sample) for sample in samples]
    times = samples[0].steps.tolist()
    found = [
        _gates(
            (name, samples[0].cell.called.get(name, "")), function, np.stack([own[number][2] for own in seen]), times
        )
        for number, (name, function, _) in enumerate(seen[0])
    ]
    return [list(each) for each in zip(*found, strict=True)] if found else [[] for _ in samples]


def _seen(sample: Sample) -> list[tuple[str, str, NDArray[np.float32]]]:
    """Name, function and values (times * rows, units) of each nonlinearity."""
    projected = sample.projected.flatten(0, 1)
    before = tuple(tensor.flatten(0, 1) for tensor in sample.before)
    with torch.no_grad(), _Names(sample.cell, projected, before) as names:
        sample.cell.step(projected, before, sample.weights)
    return [(name, function, values.float().numpy(force=True)) for name, function, values in names.seen]


def _gates(names: tuple[str, str], function: str, values: NDArray[np.float32], times: list[int]) -> list[Gate]:
    """By sample, of values (S, times * rows, units).

    By NumPy, which compares ten times as fast as torch, and adds up by products, which are faster than its sums.
    """
    least, most, _ = LIMITS[function]
    size = values[0].size
    low, high = values <= least, values >= most
    samples, units = (np.ones(count, np.float32) for count in values.shape[1:])
    low_by_unit, high_by_unit = samples @ low, samples @ high
    by_time = ((low | high) @ units).reshape(len(values), len(times), -1).sum(2) * (len(times) / size)
    by_unit = (low_by_unit + high_by_unit) / len(samples)
    found = []
    for number, own in enumerate(values):
        edges, histogram = _histogram(own, function)
        known = math.nan if np.isnan(own).any() else 1.0
        found.append(
            Gate(
                name=names[0],
                called=names[1],
                function=function,
                low=known * float(low_by_unit[number].sum()) / size,
                high=known * float(high_by_unit[number].sum()) / size,
                shut=known * np.count_nonzero(own < 1 / SHUT) / size,
                dead=known * np.count_nonzero(low_by_unit[number] == len(samples)) / len(units),
                times=times,
                by_time=by_time[number].tolist(),
                by_unit=by_unit[number].tolist(),
                edges=edges,
                histogram=histogram,
            )
        )
    return found


def _histogram(values: NDArray[np.float32], function: str) -> tuple[tuple[float, float], list[float]]:
    """Its edges, and the share of the finite values in each bin."""
    finite = np.isfinite(values)
    known = values.ravel() if finite.all() else values[finite]
    edges = LIMITS[function][2] or (0.0, max(float(known.max(initial=0.0)), 1e-6))
    bins = ((known - edges[0]) * (BINS / (edges[1] - edges[0]))).astype(np.uint8)
    counts = np.bincount(bins, minlength=BINS + 1)
    counts[BINS - 1] += counts[BINS]  # the upper edge belongs to the last bin
    return edges, (counts[:BINS] / max(len(known), 1)).tolist()


class _Names(TorchFunctionMode):
    """Follows the names of gates through the operations of a step, and keeps what nonlinearities make of them."""

    def __init__(self, cell: Cell, projected: Tensor, before: tuple[Tensor, ...]) -> None:
        super().__init__()
        self.gates, self.width = cell.gates, projected.shape[-1]
        self.whole = cell.gates[0] if len(cell.gates) == 1 else "all gates"
        self.seen: list[tuple[str, str, Tensor]] = []
        self._gates: dict[int, tuple[Tensor, str]] = {}  # tensors are held, so that no other one gets their ids
        self._states = {id(tensor): (tensor, name) for name, tensor in zip(cell.states, before, strict=True)}
        self._gates[id(projected)] = (projected, self.whole)

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        del types
        result = function(*args, **(kwargs or {}))
        called = getattr(function, "__name__", "")
        known = next((table for table in (self._gates, self._states) if any(id(a) in table for a in args)), {})
        names = {known[id(a)][1] for a in args if id(a) in known}
        if called in LIMITS:
            self.seen.append((next(iter(names)) if len(names) == 1 else called, called, result))
        elif called == "linear":
            if result.shape[-1] == self.width:
                self._gates[id(result)] = (result, self.whole)
        elif isinstance(result, tuple) and names == {self.whole} and len(result) == len(self.gates):
            for name, piece in zip(self.gates, result, strict=True):
                known[id(piece)] = (piece, name)
        elif isinstance(result, Tensor) and len(names) == 1:
            known[id(result)] = (result, next(iter(names)))
        return result
