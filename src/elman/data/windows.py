"""Windows over tracks: some time steps of the past and the steps that follow, cut from where they lie.

It knows numbers on a common scale, and not what they measure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from elman.data.buckets import Buckets
from elman.data.ragged import Integers
from elman.data.share import WHOLE, Share

Scaled = npt.NDArray[np.float32]


@dataclass(frozen=True)
class WindowBatch:
    """B windows.

    Attributes:
        past: (T, B, C), all columns.
        future: (horizon, B, C), the targets.
    """

    past: Tensor
    future: Tensor


class TrackWindows:
    """All windows of some tracks, at every time step; none crosses from one track to another.

    Args:
        tracks: (T, C) each; the first `targets` columns are forecast.
        context: time steps of the past.
        horizon: time steps of the future.
        targets: how many columns are forecast.
    """

    def __init__(self, tracks: Sequence[Scaled], context: int, horizon: int, targets: int) -> None:
        self.values = torch.from_numpy(np.concatenate(tracks))
        self.context, self.horizon, self.targets = context, horizon, targets
        begins = np.concatenate([[0], np.cumsum([len(track) for track in tracks])])
        span = context + horizon
        self.starts: Integers = np.concatenate(
            [np.arange(begin, stop - span + 1) for begin, stop in pairwise(begins)]
        ).astype(np.int64)

    def __len__(self) -> int:
        """How many windows there are."""
        return len(self.starts)

    def batch(self, windows: npt.NDArray[np.integer[Any]]) -> WindowBatch:
        """Return some windows side by side."""
        at = torch.arange(self.context + self.horizon).unsqueeze(1) + torch.from_numpy(self.starts[windows])
        found = self.values[at]
        return WindowBatch(found[: self.context], found[self.context :, :, : self.targets])

    def batches(self, size: int, stride: int = 1) -> list[Integers]:
        """Return the numbers of every `stride`-th window, in order, in batches."""
        numbers = np.arange(0, len(self), stride)
        return [numbers[first : first + size] for first in range(0, len(numbers), size)]


class WindowBatches:
    """Endless shuffled batches of windows."""

    def __init__(self, windows: TrackWindows, size: int, seed: int) -> None:
        self.windows = windows
        self.order = Buckets(np.ones(len(windows), np.int64), size, seed)

    @property
    def epochs(self) -> float:
        """Passes over all windows."""
        return self.order.epochs

    @property
    def smallest(self) -> int:
        """Windows in the smallest batch."""
        return self.order.smallest

    def next(self, share: Share = WHOLE) -> WindowBatch:
        """Return the share's windows of the next batch."""
        return self.windows.batch(share.of(self.order.next()))

    def state(self) -> dict[str, int]:
        """Return the position."""
        return self.order.state()

    def restore(self, state: dict[str, int]) -> None:
        """Go to a position."""
        self.order.restore(state)
