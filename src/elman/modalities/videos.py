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
from elman.data.parts import spread
from elman.data.ragged import Array, Integers, Ragged
from elman.data.tables import Column
from elman.errors import DataError, UsageError
from elman.modalities.base import Input, Reader
from elman.modalities.convolution import FrameReader, Grid

THUMBNAIL, COMPARED = 32, 16
"""Pixels a frame has at most each way, where frames are compared one by one, and as parts of whole videos."""
LOOKED_AT = 100
"""Videos, from all over the training part, that show size, colour, mean and deviation."""


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
    """The distinct videos of some rows.

    Attributes:
        videos: each (T, W, H, C) uint8.
        index: which of them each row names, (N,).
    """

    videos: Ragged
    index: Integers

    @property
    def lengths(self) -> Integers:
        """Frames of each row's video."""
        return self.videos.lengths[self.index]

    def batch(self, rows: Integers) -> VideoBatch:
        """The videos of some rows, one after the other."""
        return VideoBatch(torch.from_numpy(self.videos.flat(self.index[rows])), torch.from_numpy(self.lengths[rows]))

    def video(self, row: int) -> Array:
        """The video of a row."""
        return self.videos[int(self.index[row])]

    @property
    def steps(self) -> Array:
        """All rows' frames as rows of numbers, of which every n-th pixel is enough for comparisons, (frames, ...)."""
        return self._thinned(THUMBNAIL).flat(self.index)

    @property
    def rows(self) -> Ragged:
        """Each row as a series of its frames, of which fewer pixels are enough where videos are compared as a whole."""
        return Ragged.of(self._thinned(COMPARED).flat(self.index), self.lengths)

    def _thinned(self, side: int) -> Ragged:
        wide, high = self.videos.values.shape[1:3]
        thin = self.videos.values[:, :: -(-wide // side), :: -(-high // side)]
        return Ragged(thin.reshape(len(thin), -1), self.videos.starts)


class Videos(Input):
    """Videos, all of one size.

    Args:
        size: of the frames.
        mean: of each channel in training, (C,).
        deviation: likewise; 1 where all pixels are alike.
        shift: by which share of the height videos are moved in training, at most.
        longest: the most frames that a video may have.
        thin: whether longer ones are read all the same, `longest` frames from all over them.
    """

    name = "videos"
    files = True
    dropout = 0.1

    def __init__(
        self,
        size: Size,
        mean: list[float],
        deviation: list[float],
        shift: float = 0.0,
        longest: int = 1000,
        *,
        thin: bool = False,
    ) -> None:
        self.size, self.mean, self.deviation = size, mean, deviation
        self.shift, self.longest, self.thin = shift, longest, thin

    @classmethod
    def fit(cls, column: Column, size: str | None, shift: float, longest: int, *, thin: bool = False) -> Self:
        """Look at videos of the training part for size, colour, mean and deviation."""
        column, _ = _distinct(column)
        some = column.take(spread(len(column), LOOKED_AT))
        most = longest if thin else None
        sizes, colour = images.survey(frame for index in range(len(some)) for frame in videos.frames(some, index, most))
        chosen = images.usual(sizes, fixed=True) if size is None else Size.parse(size)
        if chosen.width is None:
            raise UsageError(f"--size {size} gives no width, but all frames need the same; write WIDTHxHEIGHT")
        seen = videos.load(some, chosen, 3 if colour else 1, longest, thin=thin)
        mean, deviation = images.scale(seen)
        return cls(chosen, mean, deviation, shift, longest, thin=thin)

    @property
    def channels(self) -> int:
        """C: 1 for grey, 3 for colours."""
        return len(self.mean)

    def encode(self, column: Column) -> EncodedVideos:
        """Read every video; DataError names the first row that cannot be read."""
        distinct, index = _distinct(column)
        found = list(self._load(distinct))
        return EncodedVideos(Ragged.of(np.concatenate(found), np.array([len(video) for video in found])), index)

    def keep(self, column: Column, place: Path) -> EncodedVideos:
        """Read every video into a file; they are mapped from there."""
        distinct, index = _distinct(column)
        return EncodedVideos(mapped.write(place.with_suffix(".pixels"), self._load(distinct), *self._kind), index)

    def kept(self, column: Column, place: Path) -> EncodedVideos:
        """Map what `keep` left."""
        distinct, index = _distinct(column)
        return EncodedVideos(mapped.read(place.with_suffix(".pixels"), len(distinct), *self._kind), index)

    def found_at(self, place: Path) -> list[str] | None:
        """An animated image, a folder of frames, or the videos in a folder: animated images, or folders of frames."""
        if place.is_dir():
            return videos.found_in(place)
        if videos.is_film(place):
            raise DataError(f"{place} is a film, which is not read; {videos.CUT}")
        return [str(place)] if images.is_named(place) else None

    def reader(self, features: int) -> Reader:
        """Return a reader with a convolution over each frame."""
        assert self.size.width is not None
        moved = round(self.shift * self.size.height)
        grid = Grid(self.size.height, square=True)
        return FrameReader(grid, self.size.width, (self.mean, self.deviation), moved, features)

    def facts(self, encoded: EncodedVideos) -> dict[str, int]:
        """Count the distinct videos and the frames."""
        return {"videos": len(encoded.videos), "frames": int(encoded.lengths.sum())}

    def to_dict(self) -> dict[str, Any]:
        """Return size, scale and limits."""
        return {
            "size": str(self.size),
            "mean": self.mean,
            "deviation": self.deviation,
            "shift": self.shift,
            "longest": self.longest,
            "thin": self.thin,
        }

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Self:
        """Take what `to_dict` returned."""
        scale = value["mean"], value["deviation"]
        thin = value.get("thin", False)
        return cls(Size.parse(value["size"]), *scale, value["shift"], value["longest"], thin=thin)

    @property
    def _kind(self) -> tuple[tuple[int, int, int], type[np.uint8]]:
        """The shape and the type of what is kept of a frame."""
        return (self.size.width or 0, self.size.height, self.channels), np.uint8

    def _load(self, column: Column) -> Any:
        return videos.load(column, self.size, self.channels, self.longest, thin=self.thin)


def _distinct(column: Column) -> tuple[Column, Integers]:
    """The first row of each video, and which of these each row names; DataError where a row names none."""
    if column.kind == "films":
        raise column.error(0, f"names a film, which is not read; {videos.CUT}")
    if column.kind not in (videos.LISTS, "images", "text"):
        raise column.error(
            0, f"holds {column.kind}, not videos: paths of animated images or folders, or lists of paths"
        )
    column.check_filled()
    return column.distinct()
