"""The reader of recordings: frames of log-mel energies -> features, fewer of them than frames; masked in training.

It does not know where the frames come from.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from elman.modalities.base import Reader

WIDEST_BAND, WIDEST_TIME = 0.2, 0.05
"""Shares of the bands, and of a row's frames, that one mask covers at most."""


@dataclass(frozen=True)
class RecordingBatch:
    """B rows side by side.

    Attributes:
        frames: (T, B, C), z-scores; zeros, which is their mean, beyond a row's end.
        lengths: (B,), frames of each row.
    """

    frames: Tensor
    lengths: Tensor

    def to(self, device: torch.device) -> "RecordingBatch":
        """The same on a device."""
        return RecordingBatch(self.frames.to(device), self.lengths.to(device))


class RecordingReader(Reader):
    """features = norm(relu(W * x)): a convolution over time that takes a step for every `stride` frames.

    A row of T frames has ceil(T / stride) steps; step j looks at the frames j stride - stride ... j stride + stride.
    Beyond a row's end it sees zeros, whatever lies beside the row. It is computed as one product of all steps.

    Args:
        bands: C.
        features: F.
        stride: frames in a step.
        masks: how many masks in time, and in frequency, lie over a row in training.
    """

    def __init__(self, bands: int, features: int, stride: int, masks: int) -> None:
        super().__init__()
        self.features, self.masks = features, masks
        self.stride, self.width = stride, 2 * stride + 1
        self.convolution = nn.Linear(bands * self.width, features)
        self.norm = nn.LayerNorm(features)

    def forward(self, batch: RecordingBatch) -> Tensor:
        """Return (ceil(T / stride), B, F)."""
        frames = masked(batch.frames, batch.lengths, self.masks) if self.training and self.masks else batch.frames
        return self.over(nn.functional.pad(frames, (0, 0, 0, 0, self.stride, self.stride)))

    def over(self, frames: Tensor) -> Tensor:
        """Return the features of the steps all of whose frames are there, for frames (T, B, C) as they are."""
        seen = frames.unfold(0, self.width, self.stride).flatten(2)
        found: Tensor = self.norm(self.convolution(seen).relu())
        return found


def masked(frames: Tensor, lengths: Tensor, masks: int) -> Tensor:
    """Return frames (T, B, C) of which bands and times are covered by their mean, drawn anew for every row.

    A mask covers up to a fifth of the bands, or up to a twentieth of the row's frames, all widths alike.
    Source: Park et al. 2019, SpecAugment: a simple data augmentation method for automatic speech recognition.
    """
    steps, rows, bands = frames.shape
    every = torch.full((rows,), bands, device=frames.device)
    times = _covered(lengths, WIDEST_TIME, masks, steps)
    pitches = _covered(every, WIDEST_BAND, masks, bands)
    return frames.masked_fill(times.t().unsqueeze(-1) | pitches, 0.0)


def _covered(lengths: Tensor, widest: float, masks: int, size: int) -> Tensor:
    """(B, size) bool: what so many masks cover of each row, each up to a share `widest` of the row's length."""
    draws = torch.rand(2, masks, len(lengths), 1, device=lengths.device)
    width = (draws[0] * (widest * lengths.unsqueeze(-1) + 1)).floor()
    begin = (draws[1] * (lengths.unsqueeze(-1) - width + 1)).floor()
    place = torch.arange(size, device=lengths.device)
    return ((place >= begin) & (place < begin + width)).any(0)
