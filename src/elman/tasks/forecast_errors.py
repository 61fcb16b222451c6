"""How far forecasts are from what came, over many windows, summed up batch by batch.

It knows arrays on a common scale, and the scales of the originals.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from elman.data.windows import TrackWindows, WindowBatch
from elman.modalities.forecast import LEVELS
from elman.tasks.base import Score

Floats = npt.NDArray[np.floating[Any]]
Forecaster = Callable[[WindowBatch], Floats]
"""A batch of windows -> (horizon, B, C, Q): quantiles, then the mean."""

WINDOWS = 256
MEDIAN = LEVELS.index(0.5)


class Errors:
    """Sums over windows, for each target.

    Args:
        targets: C.
        naive: (C,), the mean error of the seasonal naive forecast one season ahead in training, on the common scale.
        deviation: (C,), original units in one unit of the common scale.
    """

    def __init__(self, targets: int, naive: Floats, deviation: Floats) -> None:
        self.naive, self.deviation = naive, deviation
        self.windows = self.count = 0
        self.squared, self.absolute, self.pinball = np.zeros(targets), np.zeros(targets), np.zeros(targets)
        self.inside = np.zeros(targets)

    def add(self, forecast: Floats, future: Floats) -> None:
        """Take (horizon, B, C, Q) and what came, (horizon, B, C)."""
        error = future[..., None].astype(np.float64) - forecast
        self.squared += np.square(error[..., -1]).sum((0, 1))
        self.absolute += np.abs(error[..., MEDIAN]).sum((0, 1))
        levels = np.array(LEVELS)
        quantiles = error[..., :-1]
        self.pinball += np.maximum(levels * quantiles, (levels - 1) * quantiles).mean(-1).sum((0, 1))
        self.inside += ((quantiles[..., 0] >= 0) & (quantiles[..., -1] <= 0)).sum((0, 1))
        self.count += future.shape[0] * future.shape[1]
        self.windows += future.shape[1]

    def score(self) -> Score:
        """Return the figures, means over the targets; those of the papers are on the common scale.

        MSE of the mean, MAE and MASE of the median, pinball loss of the quantiles. MASE: Hyndman & Koehler 2006.
        """
        mse, mae = self.squared / self.count, self.absolute / self.count
        return {
            "mse": float(mse.mean()),
            "mae": float(mae.mean()),
            "mase": float((mae / self.naive).mean()),
            "pinball": float((self.pinball / self.count).mean()),
            "mse_original": float((mse * self.deviation**2).mean()),
            "mae_original": float((mae * self.deviation).mean()),
            "symbols": self.windows,
            "unit": "window",
        }

    def by_target(self, names: Iterable[str]) -> list[dict[str, Any]]:
        """Return the figures of each target, with the share of values between the outermost quantiles."""
        mse, mae = self.squared / self.count, self.absolute / self.count
        return [
            {
                "target": name,
                "mse": float(mse[k]),
                "mae": float(mae[k]),
                "mase": float(mae[k] / self.naive[k]),
                "mae_original": float(mae[k] * self.deviation[k]),
                "inside": float(self.inside[k] / self.count),
            }
            for k, name in enumerate(names)
        ]


def measure(errors: Errors, windows: TrackWindows, forecaster: Forecaster) -> Errors:
    """Forecast every window, and sum up."""
    for numbers in windows.batches(WINDOWS):
        batch = windows.batch(numbers)
        errors.add(forecaster(batch), batch.future.numpy())
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


def naive_errors(tracks: Iterable[Floats], targets: int, season: int) -> Floats:
    """Return for each target the mean of |z_t - z_{t - season}| in training; 1 where that is nothing."""
    changes = [np.abs(track[season:, :targets] - track[:-season, :targets]) for track in tracks if len(track) > season]
    mean = np.concatenate(changes).mean(0) if changes else np.ones(targets)
    found: Floats = np.where(mean > 0, mean, 1.0)
    return found
