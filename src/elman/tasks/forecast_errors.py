"""How far forecasts are from what came, over many windows of many series, summed up batch by batch.

It knows arrays in original units, and what each series is measured by.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from elman.data.ragged import Integers
from elman.data.scales import TRIFLE
from elman.data.windows import TrackWindows, WindowBatch
from elman.modalities.forecast import LEVELS, Named
from elman.tasks.base import Score

Floats = npt.NDArray[np.floating[Any]]
Forecaster = Callable[[WindowBatch], Floats]
"""A batch of windows -> (horizon, B, C, Q), scaled: quantiles, then the mean."""

WINDOWS = 256
MEDIAN = LEVELS.index(0.5)
LISTED = 10


@dataclass(frozen=True)
class Yardsticks:
    """What the errors of S series and C targets are told in, (S, C) each, in original units.

    Attributes:
        naive: the mean of |y_t - y_{t - season}| in training; NaN where that is nothing.
        deviation: the deviation in training; NaN likewise.
    """

    naive: Floats
    deviation: Floats

    @classmethod
    def of(cls, series: Sequence[Named], training: Mapping[str, Floats], targets: int, season: int) -> "Yardsticks":
        """Measure series by what was there of them in training; one that was not there, or did not change, by itself.

        Args:
            series: names and values, (T, C or more).
            training: the values by name.
            targets: C.
            season: time steps.
        """
        rows = []
        for name, values in series:
            own = _changes(values[:, :targets], season)
            known = _changes(training.get(name, values[:0])[:, :targets], season)
            rows.append(np.where(np.isnan(known), own, known))
        naive, deviation = np.stack(rows, axis=1)
        return cls(naive, deviation)


def _changes(values: Floats, season: int) -> Floats:
    """The mean seasonal change and the deviation of (T, C), (2, C); NaN where that is nothing but for rounding."""
    found = np.full((2, values.shape[1]), np.nan)
    if len(values) > season:
        found[0] = np.abs(values[season:] - values[:-season]).mean(0)
    if len(values):
        found[1] = values.std(0)
    steady = len(values) == 0 or (values == values[:1]).all(0)
    return np.where((found <= TRIFLE * found[1]) | steady, np.nan, found)


class Errors:
    """Sums over the windows of S series, for each of C targets.

    Args:
        yardsticks: of the series.
        grouped: whether they are told apart by a column; every series then counts as much as any other.
    """

    def __init__(self, yardsticks: Yardsticks, *, grouped: bool) -> None:
        self.yardsticks, self.grouped = yardsticks, grouped
        self.windows = np.zeros(len(yardsticks.naive), np.int64)
        self.steps = 0
        self.below = np.zeros((len(LEVELS), yardsticks.naive.shape[1]))
        self.ahead = self.counted = np.zeros((0, yardsticks.naive.shape[1]))
        self.squared, self.absolute, self.pinball, self.inside = np.zeros((4, *yardsticks.naive.shape))

    def add(self, forecast: Floats, came: Floats, owners: Integers) -> None:
        """Take (horizon, B, C, Q) and what came, (horizon, B, C), of the series with these numbers, (B,)."""
        error = came[..., None] - forecast
        levels = np.array(LEVELS)
        quantiles = error[..., :-1]
        np.add.at(self.squared, owners, np.square(error[..., -1]).sum(0))
        np.add.at(self.absolute, owners, np.abs(error[..., MEDIAN]).sum(0))
        np.add.at(self.pinball, owners, np.maximum(levels * quantiles, (levels - 1) * quantiles).mean(-1).sum(0))
        np.add.at(self.inside, owners, ((quantiles[..., 0] >= 0) & (quantiles[..., -1] <= 0)).sum(0))
        np.add.at(self.windows, owners, 1)
        self.below += (quantiles <= 0).sum((0, 1)).T
        self._add_ahead(np.abs(error[..., MEDIAN]), owners)
        self.steps = len(came)

    def _add_ahead(self, absolute: Floats, owners: Integers) -> None:
        """Take the errors of every step ahead; of several series each over its own yardstick, if it has one."""
        unit = self.yardsticks.naive[owners] if self.grouped else np.ones_like(absolute[0])
        if not len(self.ahead):
            self.ahead, self.counted = np.zeros((2, *absolute[:, 0].shape))
        self.ahead += np.nansum(absolute / unit, axis=1)
        self.counted += np.isfinite(unit).sum(0)

    def score(self) -> Score:
        """Return the figures, means over the targets, and over the series of what is in the units of each.

        MSE of the mean, MAE of the median and the pinball loss of the quantiles are in deviations that the series had
        in training; MASE is the MAE over the mean error of the seasonal naive forecast one season ahead in training
        (Hyndman & Koehler 2006), and of several series the headline: no series counts for its size. What never changed
        has no such unit and is left out. In original units the means are over all windows.
        """
        figures = self._figures()
        score: Score = {name: float(np.nanmean(figures[name])) for name in ("mse", "mae", "mase", "pinball")}
        score |= {name: float(figures[name].mean()) for name in ("mse_original", "mae_original")}
        if self.grouped:
            score |= {"headline": "mase", "series": int((self.windows > 0).sum())}
        return score | {"symbols": int(self.windows.sum()), "unit": "window"}

    def by_target(self, names: Iterable[str]) -> list[dict[str, Any]]:
        """Return the figures that each target has, with the share of values between the outermost quantiles."""
        figures = self._figures()
        shown = ("mse", "mae", "mase", "mae_original", "inside")
        return [
            {"target": name} | {key: float(figures[key][k]) for key in shown if not np.isnan(figures[key][k])}
            for k, name in enumerate(names)
        ]

    def by_step(self) -> list[list[float]]:
        """Return for each target the error of the median at every step ahead: MAE in original units.

        Of several series it is MASE; nothing of a target that has none.
        """
        means = self.ahead / np.where(self.counted, self.counted, np.nan)
        return [own.tolist() if np.isfinite(own).all() else [] for own in means.T]

    def by_level(self) -> list[list[float]]:
        """Return for each target the share of values that came at or below each quantile."""
        shares: list[list[float]] = (self.below / (self.windows.sum() * self.steps)).T.tolist()
        return shares

    def by_series(self) -> dict[str, Floats]:
        """Return of each series that has windows its number, MASE, MAE in original units and share between quantiles.

        They are means over the targets; a MASE is NaN where no target has one.
        """
        there = np.flatnonzero(self.windows)
        count = (self.windows[there] * self.steps)[:, None]
        absolute = self.absolute[there] / count
        mase = np.ma.masked_invalid(absolute / self.yardsticks.naive[there]).mean(1).filled(np.nan)
        inside = (self.inside[there] / count).mean(1)
        return {"number": there, "mase": mase, "mae_original": absolute.mean(1), "inside": inside}

    def _figures(self) -> dict[str, Floats]:
        """(C,) of each figure; NaN where a target has no unit for it."""
        there = self.windows > 0
        count, total = (self.windows[there] * self.steps)[:, None], self.windows.sum() * self.steps
        naive, deviation = self.yardsticks.naive[there], self.yardsticks.deviation[there]
        return {
            "mse": _mean(self.squared[there] / count, deviation**2),
            "mae": _mean(self.absolute[there] / count, deviation),
            "mase": _mean(self.absolute[there] / count, np.where(np.isnan(naive).all(0), deviation, naive)),
            "pinball": _mean(self.pinball[there] / count, deviation),
            "mse_original": self.squared.sum(0) / total,
            "mae_original": self.absolute.sum(0) / total,
            "inside": self.inside.sum(0) / total,
        }


def side_by_side(errors: Errors, rival: Errors, names: Sequence[str]) -> dict[str, Any]:
    """Return how many series are forecast better than a rival does, and the figures of the worst and the best.

    Args:
        errors: of the network.
        rival: of the last season, on the same windows.
        names: of the series.
    """
    own, other = errors.by_series(), rival.by_series()
    order = np.argsort(-own["mase"], kind="stable")  # what has none comes last
    measured = order[: np.isfinite(own["mase"]).sum()]
    shown = measured if len(measured) <= 2 * LISTED else np.concatenate([measured[:LISTED], measured[-LISTED:]])
    rows = [
        {"series": names[own["number"][k]], "naive": float(other["mase"][k])}
        | {key: float(own[key][k]) for key in ("mase", "mae_original", "inside")}
        for k in shown
    ]
    better = int((own["mase"][measured] < other["mase"][measured]).sum())
    return {"count": len(order), "measured": len(measured), "better": better, "rows": rows}


def _mean(errors: Floats, unit: Floats) -> Floats:
    """The mean of errors (S, C) over the series that have a unit, NaN where none has; as they are without any unit."""
    unit = np.ones_like(unit) if np.isnan(unit).all() else unit
    found: Floats = np.ma.masked_invalid(errors / unit).mean(0).filled(np.nan)
    return found


def measure(errors: Errors, windows: TrackWindows, forecaster: Forecaster) -> Errors:
    """Forecast every window, and sum up."""
    for numbers in windows.batches(WINDOWS):
        batch = windows.batch(numbers)
        errors.add(batch.original(forecaster(batch)), batch.came, batch.owners)
    return errors


def by_network(network: Any) -> Forecaster:
    """Return a forecaster; quantiles that cross are put in order (Chernozhukov et al. 2010)."""

    def forecast(batch: WindowBatch) -> Floats:
        with torch.inference_mode():
            found = network(batch.past.to(next(network.parameters()).device)).cpu()
        quantiles = found[..., :-1].sort(-1).values
        return torch.cat([quantiles, found[..., -1:]], -1).numpy()

    return forecast


def by_points(one: Callable[[Floats, int], Floats], targets: int) -> Forecaster:
    """Return a forecaster that is sure of a point: `one` maps a target's past and its number to (horizon, B)."""

    def forecast(batch: WindowBatch) -> Floats:
        past = batch.past.numpy()
        points = np.stack([one(past[:, :, k], k) for k in range(targets)], axis=-1)
        return np.repeat(points[..., None], len(LEVELS) + 1, axis=-1)

    return forecast
