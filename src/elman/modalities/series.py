"""A series of measurements as a modality: at every time step a few real numbers, of which the network sees z-scores."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from torch import Tensor

from elman.data.ragged import Array, Integers, Ragged, row_of
from elman.data.scales import measured
from elman.data.tables import Column
from elman.modalities.base import Input, Reader

PER_STEP = "a list with a number, or a list of numbers, per step"
LARGEST, FARTHEST = 1e100, 1e30
"""Numbers whose squares can still be summed up, and z-scores that float32 still adds up."""


@dataclass(frozen=True)
class EncodedSeries:
    """Z-scored rows, (sum of lengths, C) float32."""

    rows: Ragged

    @property
    def lengths(self) -> Integers:
        """Time steps of each row."""
        return self.rows.lengths

    @property
    def steps(self) -> Array:
        """All time steps, one row after the other."""
        return self.rows.values

    def batch(self, rows: Integers) -> Tensor:
        """Some rows side by side, (T, B, C)."""
        return torch.from_numpy(self.rows.padded(rows))


class Series(Input):
    """C channels, each with the mean and the deviation that it had in training.

    Args:
        mean: (C,).
        deviation: (C,), 1 where a channel is constant.
    """

    name = "series"

    def __init__(self, mean: npt.ArrayLike, deviation: npt.ArrayLike, noise: float = 0.0) -> None:
        self.mean = np.asarray(mean, np.float64)
        self.deviation = np.asarray(deviation, np.float64)
        self.noise = noise

    @classmethod
    def fit(cls, column: Column, noise: float = 0.0) -> Self:
        """Measure every channel."""
        rows = raw(column)
        values = rows.values
        if len(bad := np.flatnonzero(np.abs(values).max(1) > LARGEST)):
            raise column.error(rows.row_of(bad[0]), f"holds a number beyond {LARGEST:g}; give it in larger units")
        mean, deviation = measured(values)
        return cls(mean, np.where(deviation > 0, deviation, 1.0), noise)

    @property
    def channels(self) -> int:
        """C."""
        return len(self.mean)

    def encode(self, column: Column) -> EncodedSeries:
        """Z-score a column; DataError names the first row with other channels than those of training."""
        found = raw(column)
        if found.values.shape[1] != self.channels:
            raise column.error(0, f"has {found.values.shape[1]} numbers per time step, training had {self.channels}")
        scores = self.scores(found.values)
        if len(bad := np.flatnonzero(np.abs(scores).max(1) > FARTHEST)):
            what = "holds a number too far from those of training to be computed with; mend it"
            raise column.error(found.row_of(bad[0]), what)
        return EncodedSeries(Ragged(scores.astype(np.float32), found.starts))

    def scores(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return z-scores of measurements (N, C)."""
        found: npt.NDArray[np.float64] = (values - self.mean) / self.deviation
        return found

    def reader(self, features: int) -> Reader:
        """Return a module that passes the z-scores on, in training with noise; recurrent layers project them anyway."""
        del features
        return SeriesReader(self.channels, self.noise)

    def facts(self, encoded: EncodedSeries) -> dict[str, int]:
        """Count the time steps."""
        return {"time_steps": len(encoded.rows.values)}

    def to_dict(self) -> dict[str, Any]:
        """Return mean and deviation."""
        return {"mean": self.mean.tolist(), "deviation": self.deviation.tolist(), "noise": self.noise}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Self:
        """Take mean and deviation."""
        return cls(value["mean"], value["deviation"], value["noise"])


class SeriesReader(Reader):
    """z-scores (T, B, C) -> features (T, B, 2C): values and their changes from the step before.

    In training normal noise is added to the values (Bishop 1995).
    """

    def __init__(self, channels: int, noise: float) -> None:
        super().__init__()
        self.features = 2 * channels
        self.noise = noise

    def forward(self, values: Tensor, before: Tensor | None = None) -> Tensor:
        """Return the features; `before` (B, C) are the z-scores of the step before the first, else like it."""
        if self.training and self.noise:
            values = values + self.noise * torch.randn_like(values)
        changes = torch.diff(values, dim=0, prepend=values[:1] if before is None else before.unsqueeze(0))
        return torch.cat([values, changes], -1)


def raw(column: Column) -> Ragged:
    """Return a column of lists of numbers, or of lists of such lists, as rows (T, C) of float64.

    Raises:
        DataError: names the first row that is empty, ragged, of another width, or not all finite numbers.

    """
    inner = _inner(column.values.dtype)
    if column.kind != "numbers" and inner != pl.Null:  # which empty lists have
        raise column.error(0, f"holds {column.kind}, not a series: {PER_STEP}")
    column.check_filled()
    if isinstance(inner, pl.List) and inner.inner.is_nested():
        raise column.error(0, f"has more than two dimensions; give a series as {PER_STEP}")
    steps = column.values.cast(pl.List(inner))
    lengths = steps.list.len()
    if (index := column.first(lengths == 0)) is not None:
        raise column.error(index, "is an empty series; remove the row")
    flat, owners = steps.explode(), row_of(lengths.to_numpy())
    width = 1
    if isinstance(flat.dtype, pl.List):
        widths = flat.list.len().fill_null(0)
        width = int(widths[0])
        if (place := (widths != width).arg_max()) is not None and (widths != width).any():
            raise column.error(owners[place], f"has {widths[place]} numbers in a time step, where others have {width}")
        flat = flat.explode()
    numbers = flat.cast(pl.Float64).fill_null(np.nan).to_numpy()
    if len(bad := np.flatnonzero(~np.isfinite(numbers))):
        raise column.error(
            owners[bad[0] // max(1, width)], "holds a value that is missing or no finite number; mend it"
        )
    return Ragged.of(numbers.reshape(-1, width), lengths.to_numpy())


def _inner(dtype: Any) -> Any:
    """The type of a row's items, with arrays as lists; None where they are no lists."""
    inner = getattr(dtype, "inner", None)
    return pl.List(inner.inner) if isinstance(inner, pl.Array | pl.List) else inner
