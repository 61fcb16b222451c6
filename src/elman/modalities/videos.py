"""Videos as a modality: every frame, an image of one size, is a time step.

The network sees the pixels as z-scores by the mean and the deviation of the training part. The pixels are kept with the
rows, a byte each, so that the files are read once. It does not know what is asked of the frames.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from elman.data import images, mapped, videos
from elman.data.images import Size
from elman.data.ragged import Array, Integers, Ragged
from elman.data.tables import Column
from elman.errors import UsageError
from elman.modalities.base import Input, Reader
from elman.modalities.convolution import FrameReader, Grid

THUMBNAIL = 32
LOOKED_AT = 100
"""Videos, from all over the training part, that show size, colour, mean and deviation."""
KINDS = ("lists of images", "images", "text")
"""The kinds of column that may name videos, those that tell most first."""


@dataclass(frozen=True)
class VideoBatch:
    """The frames of B videos.

    Attributes:
        frames: (sum of lengths, W, H, C) uint8, one video after the other.
        lengths: (B,).
    """

    frames: Tensor
    lengths: Tensor

    def to(self, device: torch.device) -> "VideoBatch":
        """The same on a device."""
        return VideoBatch(self.frames.to(device), self.lengths.to(device))


@dataclass(frozen=True)
class EncodedVideos:
    """Videos, each (T, W, H, C) uint8."""

    videos: Ragged

    @property
    def lengths(self) -> Integers:
        """Frames of each video."""
        return self.videos.lengths

    def batch(self, rows: Integers) -> VideoBatch:
        """Some videos, one after the other."""
        return VideoBatch(torch.from_numpy(self.videos.flat(rows)), torch.from_numpy(self.lengths[rows]))

    @property
    def steps(self) -> Array:
        """All frames as rows of numbers, of which every n-th pixel is enough for comparisons, (sum of lengths, ...)."""
        wide, high = self.videos.values.shape[1:3]
        thin = self.videos.values[:, :: -(-wide // THUMBNAIL), :: -(-high // THUMBNAIL)]
        return thin.reshape(len(thin), -1)


class Videos(Input):
    """Videos, all of one size.

    Args:
        size: of the frames.
        mean: of each channel in training, (C,).
        deviation: likewise; 1 where all pixels are alike.
        shift: by which share of the height videos are moved in training, at most.
        longest: the most frames that a video may have.
    """

    name = "videos"
    files = True
    dropout = 0.1

    def __init__(
        self, size: Size, mean: list[float], deviation: list[float], shift: float = 0.0, longest: int = 1000
    ) -> None:
        self.size, self.mean, self.deviation, self.shift, self.longest = size, mean, deviation, shift, longest

    @classmethod
    def fit(cls, column: Column, size: str | None, shift: float, longest: int) -> Self:
        """Look at videos of the training part for size, colour, mean and deviation."""
        _check(column)
        some = column.take(np.unique(np.linspace(0, len(column) - 1, LOOKED_AT).astype(np.int64)))
        sizes, colour = images.survey(frame for index in range(len(some)) for frame in videos.frames(some, index))
        chosen = images.usual(sizes, fixed=True) if size is None else Size.parse(size)
        if chosen.width is None:
            raise UsageError(f"--size {size} gives no width, but all frames need the same; write WIDTHxHEIGHT")
        seen = videos.load(some, chosen, 3 if colour else 1, longest)
        mean, deviation = images.scale(seen)
        return cls(chosen, mean, deviation, shift, longest)

    @property
    def channels(self) -> int:
        """C: 1 for grey, 3 for colours."""
        return len(self.mean)

    def encode(self, column: Column) -> EncodedVideos:
        """Read every video; DataError names the first row that cannot be read."""
        found = list(self._load(column))
        return EncodedVideos(Ragged.of(np.concatenate(found), np.array([len(video) for video in found])))

    def keep(self, column: Column, place: Path) -> EncodedVideos:
        """Read every video into a file; they are mapped from there."""
        return EncodedVideos(mapped.write(place.with_suffix(".pixels"), self._load(column), *self._kind))

    def kept(self, column: Column, place: Path) -> EncodedVideos:
        """Map what `keep` left."""
        return EncodedVideos(mapped.read(place.with_suffix(".pixels"), len(column), *self._kind))

    def found_at(self, place: Path) -> list[str] | None:
        """An animated image, or a folder of frames."""
        if place.is_dir():
            images.found_in(place)
            return [str(place)]
        return [str(place)] if images.is_named(place) else None

    def reader(self, features: int) -> Reader:
        """Return a reader with a convolution over each frame."""
        assert self.size.width is not None
        moved = round(self.shift * self.size.height)
        grid = Grid(self.size.height, square=True)
        return FrameReader(grid, self.size.width, (self.mean, self.deviation), moved, features)

    def facts(self, encoded: EncodedVideos) -> dict[str, int]:
        """Count the frames."""
        return {"frames": int(encoded.lengths.sum())}

    def to_dict(self) -> dict[str, Any]:
        """Return size, scale and limits."""
        return {
            "size": str(self.size),
            "mean": self.mean,
            "deviation": self.deviation,
            "shift": self.shift,
            "longest": self.longest,
        }

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Self:
        """Take what `to_dict` returned."""
        return cls(Size.parse(value["size"]), value["mean"], value["deviation"], value["shift"], value["longest"])

    @property
    def _kind(self) -> tuple[tuple[int, int, int], type[np.uint8]]:
        """The shape and the type of what is kept of a frame."""
        return (self.size.width or 0, self.size.height, self.channels), np.uint8

    def _load(self, column: Column) -> Any:
        _check(column)
        return videos.load(column, self.size, self.channels, self.longest)


def _check(column: Column) -> None:
    """Raise DataError where a column does not name a video in each row."""
    if column.kind not in KINDS:
        raise column.error(
            0, f"holds {column.kind}, not videos: paths of animated images or folders, or lists of paths"
        )
    column.check_filled()
