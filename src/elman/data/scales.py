"""The scale of series: what is taken from their values and what they are divided by, once or in each window.

It knows numbers, and not what they measure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from elman.data.ragged import Integers, Values

TRIFLE = 1e-6
"""Windows that deviate by no more, as a share of their series, do not change but for the rounding of float32."""
FAR = 100.0
"""Deviations, beyond which a value says more of the scale than of what is to be forecast."""


class Scale(NamedTuple):
    """What each of B windows is scaled by.

    Attributes:
        mean: (B, C), in original units.
        deviation: (B, C), likewise, never 0.
        steady: (B, C), whether nothing is known of how much a column changes, since it never did; it is forecast to
            stay as it is.
    """

    mean: Values
    deviation: Values
    steady: npt.NDArray[np.bool_]

    def first(self, count: int) -> "Scale":
        """Return that of the first columns."""
        return Scale(self.mean[:, :count], self.deviation[:, :count], self.steady[:, :count])


@dataclass(frozen=True)
class Scales:
    """The scales of S series of C columns.

    Attributes:
        mean: (S, C), in original units.
        deviation: (S, C), likewise.
        least: (S, C), NaN where this is all. Else each window is measured anew by what is read of it, and by nothing
            that follows (Kim et al. 2022, reversible instance normalization), and this is what its deviation is at
            least, as a share of the series'; 0 where nothing is known of the series.
        most: (S, C), a window that holds a value farther off, in deviations, has left its series' scale, and is
            measured anew too.
    """

    mean: Values
    deviation: Values
    least: Values
    most: Values

    def scaled(self, tracks: Sequence[Values]) -> list[npt.NDArray[np.float32]]:
        """Return each series, (T, C), by its mean and deviation; a window's own come later."""
        every = zip(tracks, self.mean, self.deviation, strict=True)
        return [((values - mean) / deviation).astype(np.float32) for values, mean, deviation in every]

    def of(self, past: Tensor, owners: Integers) -> tuple[Scale, tuple[Tensor, Tensor] | None]:
        """Return the scales of B windows, and what is still to be taken and divided by, (B, C) each, if anything.

        Args:
            past: (T, B, C), what is read of the series, `scaled`.
            owners: (B,), the number of each window's series.
        """
        mean, deviation = self.mean[owners], self.deviation[owners]
        least, most = (torch.from_numpy(part[owners]) for part in (self.least, self.most))
        anew = ~least.isnan() | (past.abs().amax(0) > most)
        if not anew.any():
            return Scale(mean, deviation, anew.numpy()), None
        level = torch.where(anew, past.mean(0), 0.0)
        spread = torch.maximum((past - level).square_().mean(0).sqrt(), least.nan_to_num().float())
        steady = anew & (spread <= TRIFLE)
        spread = torch.where(anew & ~steady, spread, 1.0)
        found = Scale(mean + deviation * level.numpy(), deviation * spread.numpy(), steady.numpy())
        return found, (level, spread)


def measured(values: Values) -> Values:
    """Mean and deviation of (T, C), together (2, C); of what does not change exactly itself and 0."""
    steady = (values == values[:1]).all(0)
    found: Values = np.where(steady, [values[0], np.zeros(len(steady))], [values.mean(0), values.std(0)])
    return found
