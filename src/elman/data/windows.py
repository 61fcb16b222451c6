"""Windows over tracks: some time steps of the past and the steps that follow, cut from where they lie and scaled.

It knows numbers, and not what they measure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from elman.data.ragged import Integers, Values, row_of
from elman.data.scales import FAR, Scale, Scales

SERIES = 1 << 13
"""Columns that are forecast side by side, those of all windows of a batch together; a network has a row for each."""


def side_by_side(most: int, targets: int) -> int:
    """Return how many windows are taken at once, `most` or, of very many columns to forecast, fewer."""
    return max(1, min(most, SERIES // targets))


@dataclass(frozen=True)
class WindowBatch:
    """B windows, scaled.

    Attributes:
        past: (T, B, C), all columns.
        future: (horizon, B, C), the targets.
        scale: of the targets.
        owners: (B,), the number of each window's track.
    """

    past: Tensor
    future: Tensor
    scale: Scale
    owners: Integers

    @property
    def taught(self) -> Tensor:
        """The future to learn from: where a target never changed there is no scale to learn on, and it stays so.

        Likewise one that leaves its scale behind, as when a series that hardly changed begins to: it counts as `FAR`.
        """
        return self.future.masked_fill(torch.from_numpy(self.scale.steady), 0.0).clamp(-FAR, FAR)

    @property
    def came(self) -> Values:
        """(horizon, B, C), the future in original units."""
        units: Values = self.future.numpy() * self.scale.deviation + self.scale.mean
        return units

    def original(self, scaled: npt.NDArray[np.floating[Any]]) -> Values:
        """Return a forecast, (horizon, B, C, Q), in original units; what never changed is forecast to stay as it is."""
        deviation = np.where(self.scale.steady, 0.0, self.scale.deviation)
        units: Values = scaled * deviation[..., None] + self.scale.mean[..., None]
        return units


class TrackWindows:
    """All windows of some tracks, at every time step; none crosses from one track to another.

    Args:
        tracks: (T, C) each, in original units; the first `targets` columns are forecast.
        scales: of the tracks.
        context: time steps of the past.
        horizon: time steps of the future.
        targets: how many columns are forecast.
    """

    def __init__(self, tracks: Sequence[Values], scales: Scales, context: int, horizon: int, targets: int) -> None:
        self.values, self.scales = torch.from_numpy(np.concatenate(scales.scaled(tracks))), scales
        self.context, self.horizon, self.targets = context, horizon, targets
        begins = np.concatenate([[0], np.cumsum([len(track) for track in tracks])])
        starts = [np.arange(begin, stop - context - horizon + 1) for begin, stop in pairwise(begins)]
        self.starts: Integers = np.concatenate(starts).astype(np.int64)
        self.owners: Integers = row_of([len(own) for own in starts])

    def __len__(self) -> int:
        """How many windows there are."""
        return len(self.starts)

    def batch(self, windows: npt.NDArray[np.integer[Any]]) -> WindowBatch:
        """Return some windows side by side."""
        at = torch.arange(self.context + self.horizon).unsqueeze(1) + torch.from_numpy(self.starts[windows])
        found, owners = self.values[at], self.owners[windows]
        scale, anew = self.scales.of(found[: self.context], owners)
        if anew is not None:
            found = found.sub_(anew[0]).div_(anew[1])
        future = found[self.context :, :, : self.targets]
        return WindowBatch(found[: self.context], future, scale.first(self.targets), owners)

    def batches(self, size: int, stride: int = 1) -> list[Integers]:
        """Return the numbers of every `stride`-th window, in order, in batches of at most so many."""
        numbers, size = np.arange(0, len(self), stride), side_by_side(size, self.targets)
        return [numbers[first : first + size] for first in range(0, len(numbers), size)]
