"""Future values as a modality: for each target its mean, and quantiles that say how sure the mean is.

It knows by what series are scaled; what they measure stands in names.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from elman.data.ragged import Values
from elman.data.scales import FAR, Scales, measured
from elman.errors import DataError
from elman.modalities.base import Head, Modality
from elman.modalities.series import FARTHEST, LARGEST

LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
Named = tuple[str, Values]
"""A series: its name, empty where there is one only, and its values, (T, C)."""


SCALES = ("column", "series", "window")
LEAST = 0.3
"""The usual bound below the deviation of a window; docs/log.md has what it was chosen from."""


class Forecast(Modality):
    """Columns, the first of which are the targets, and what their values are scaled by before a network sees them.

    By `scale` that is for each column its mean and deviation in training ("column"), those of each series ("series"),
    or those of each window, of what is read before a forecast ("window"). Of a series that was not there in training,
    or did not change, it is the window's in either case.

    Args:
        targets: their names.
        covariates: the names of the columns that are read too.
        mean: (C,), of both, over all series.
        deviation: (C,), a constant column's own size.
        scale: one of `SCALES`.
        series: by name the mean and deviation of a series in training, (2, C); none where the scale is the column's.
        least: what the deviation of a window is at least, as a share of its series' deviation in training.
    """

    name = "forecast"

    def __init__(
        self,
        targets: list[str],
        covariates: list[str],
        mean: npt.ArrayLike,
        deviation: npt.ArrayLike,
        scale: str = "column",
        series: Mapping[str, npt.ArrayLike] | None = None,
        least: float = LEAST,
    ) -> None:
        self.targets, self.covariates, self.scale, self.least = targets, covariates, scale, least
        self.mean, self.deviation = np.asarray(mean, np.float64), np.asarray(deviation, np.float64)
        self.series = {name: np.asarray(own, np.float64) for name, own in (series or {}).items()}

    @classmethod
    def fit(cls, targets: list[str], covariates: list[str], series: Sequence[Named], scale: str = "column") -> Self:
        """Measure the training part: the name of each series and its values, (T, C)."""
        values, columns = np.concatenate([own for _, own in series]), len(targets) + len(covariates)
        made = cls(targets, covariates, np.zeros(columns), np.ones(columns), scale)
        made._check_size(values)
        own = measured(values)
        made.mean, made.deviation = own[0], _unit(own)
        made.series = {} if scale == "column" else {name: measured(own) for name, own in series if len(own)}
        return made

    def with_series(self, series: Sequence[Named]) -> Self:
        """Return the same, where series have scales of their own also for those of these that were not there."""
        new = {} if self.scale == "column" else {n: measured(own) for n, own in series if n not in self.series}
        whole = self.series | new
        return type(self)(self.targets, self.covariates, self.mean, self.deviation, self.scale, whole, self.least)

    def scales(self, series: Sequence[Named]) -> Scales:
        """Return the scales of some series, given by name and values; DataError where a value is beyond computing."""
        for _, values in series if self.scale != "column" else ():
            self._check_size(values)
        found = [self._scale(name, values) for name, values in series]
        mean, deviation, least, most = (np.stack([scale[k] for scale in found]) for k in range(4))
        scales = Scales(mean, deviation, least, most)
        for k, (_, values) in enumerate(series):
            self._check(values, mean[k], deviation[k])
        return scales

    def _scale(self, name: str, values: Values) -> tuple[Values, Values, Values, Values]:
        """What `Scales` holds of one series, (C,) each."""
        if self.scale == "column":
            return self.mean, self.deviation, np.full_like(self.mean, np.nan), np.full_like(self.mean, np.inf)
        mean, deviation = self.series.get(name, np.zeros((2, len(self.mean))))
        known, own = deviation > 0, measured(values)
        least = np.where(known, self.least if self.scale == "window" else np.nan, 0.0)
        most = np.where(known & (self.scale == "series"), FAR, np.inf)
        return np.where(known, mean, own[0]), np.where(known, deviation, _unit(own)), least, most

    def _check_size(self, values: Values) -> None:
        if len(wrong := np.flatnonzero(np.abs(values).max(0, initial=0) > LARGEST)):
            name = [*self.targets, *self.covariates][wrong[0]]
            raise DataError(f"column {name!r} holds numbers beyond {LARGEST:g}; give it in larger units")

    def _check(self, values: Values, mean: Values, deviation: Values) -> None:
        far = np.abs(values - mean) > FARTHEST * deviation
        if far.any():
            row, column = np.argwhere(far)[0]
            name, value = [*self.targets, *self.covariates][column], f"{values[row, column]:g}"
            raise DataError(f"column {name!r} holds {value}, too far from what it held in training")

    def head(self, features: int, steps: int) -> "QuantileHead":
        """Return a head that says `steps` time steps at once."""
        return QuantileHead(features, steps)

    def to_dict(self) -> dict[str, Any]:
        """Return names and scales."""
        scales = {
            "scale": self.scale,
            "least": self.least,
            "mean": self.mean.tolist(),
            "deviation": self.deviation.tolist(),
        }
        own = {name: own.tolist() for name, own in self.series.items()}
        return {"targets": self.targets, "covariates": self.covariates, **scales, "series": own}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Self:
        """Take names and scales; runs of before there was a choice have those of columns."""
        own = value.get("scale", "column"), value.get("series"), value.get("least", LEAST)
        return cls(value["targets"], value["covariates"], value["mean"], value["deviation"], *own)


def _unit(own: Values) -> Values:
    """What is divided by where `measured` says this, (C,): the deviation, of what does not change its size."""
    mean, deviation = own
    found: Values = np.where(deviation > 0, deviation, np.where(mean == 0, 1.0, np.abs(mean)))
    return found


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
