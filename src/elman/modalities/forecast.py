"""Future values as a modality: for each target its mean, and quantiles that say how sure the mean is.

It knows scaled numbers; what they measure stands in names.
"""

from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from elman.errors import DataError
from elman.modalities.base import Head, Modality
from elman.modalities.series import FARTHEST, LARGEST

LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
Floats = npt.NDArray[np.floating[Any]]


class Forecast(Modality):
    """Columns with the mean and deviation that each had in training; the first are the targets.

    Args:
        targets: their names.
        covariates: the names of the columns that are read too.
        mean: (C,), of both.
        deviation: (C,), 1 where a column is constant.
    """

    name = "forecast"

    def __init__(
        self, targets: list[str], covariates: list[str], mean: npt.ArrayLike, deviation: npt.ArrayLike
    ) -> None:
        self.targets, self.covariates = targets, covariates
        self.mean, self.deviation = np.asarray(mean, np.float64), np.asarray(deviation, np.float64)

    @classmethod
    def fit(cls, targets: list[str], covariates: list[str], values: Floats) -> Self:
        """Measure the training part, (T, C)."""
        if len(wrong := np.flatnonzero(np.abs(values).max(0) > LARGEST)):
            name = [*targets, *covariates][wrong[0]]
            raise DataError(f"column {name!r} holds numbers beyond {LARGEST:g}; give it in larger units")
        deviation = values.std(0)
        return cls(targets, covariates, values.mean(0), np.where(deviation > 0, deviation, 1.0))

    def scaled(self, values: Floats) -> npt.NDArray[np.float32]:
        """Return z-scores of (T, C) in original units; DataError where one is beyond what float32 adds up."""
        scores = (values - self.mean) / self.deviation
        if (np.abs(scores) > FARTHEST).any():
            row, column = np.argwhere(np.abs(scores) > FARTHEST)[0]
            name = [*self.targets, *self.covariates][column]
            raise DataError(f"column {name!r} holds {values[row, column]:g}, too far from what it held in training")
        return scores.astype(np.float32)

    def original(self, forecast: Floats) -> Floats:
        """Return (..., C, Q) in original units, C the targets."""
        count = len(self.targets)
        units: Floats = forecast * self.deviation[:count, None] + self.mean[:count, None]
        return units

    def head(self, features: int, steps: int) -> "QuantileHead":
        """Return a head that says `steps` time steps at once."""
        return QuantileHead(features, steps)

    def to_dict(self) -> dict[str, Any]:
        """Return names and scales."""
        scales = {"mean": self.mean.tolist(), "deviation": self.deviation.tolist()}
        return {"targets": self.targets, "covariates": self.covariates, **scales}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Self:
        """Take names and scales."""
        return cls(value["targets"], value["covariates"], value["mean"], value["deviation"])


class QuantileHead(Head):
    """(..., H) -> (..., steps, Q): the quantiles at `LEVELS`, then the mean.

    Args:
        features: H.
        steps: time steps that one state answers for.
    """

    levels: Tensor

    def __init__(self, features: int, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.linear = nn.Linear(features, steps * (len(LEVELS) + 1))
        self.register_buffer("levels", torch.tensor(LEVELS), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Return the forecasts."""
        scores: Tensor = self.linear(features)
        return scores.reshape(*features.shape[:-1], self.steps, -1).float()

    def loss(self, scores: Tensor, targets: Tensor, scored: Tensor | None = None) -> Tensor:
        """Return twice the mean pinball loss of the quantiles (Koenker & Bassett 1978) and half the squared error.

        Scores are (..., Q), targets (...).
        """
        if scored is not None:
            scores, targets = scores[scored], targets[scored]
        error = targets.unsqueeze(-1) - scores
        quantiles, mean = error[..., :-1], error[..., -1]
        pinball = torch.maximum(self.levels * quantiles, (self.levels - 1) * quantiles)
        return 2 * pinball.mean() + 0.5 * mean.square().mean()
