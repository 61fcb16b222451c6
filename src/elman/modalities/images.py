"""Images as a modality: a column that names files, each image a sequence of its columns, its rows or its places.

The network sees the pixels as z-scores by the mean and the deviation of the training part. The pixels are kept with the
rows, a byte each, so that the files are read once. It does not know what the images are looked at for.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from elman.data import images, mapped
from elman.data.images import Pixels, Size
from elman.data.parts import spread
from elman.data.ragged import Integers, Ragged
from elman.data.tables import Column
from elman.errors import UsageError
from elman.modalities.base import Input, Reader
from elman.modalities.convolution import ColumnReader, Grid, PlaceReader, RowReader

READINGS = ("columns", "places", "rows")
"""What are an image's time steps: what convolutions see in each column, or at each place of a column, of what they make
of it; or the image's own rows of pixels, without convolutions."""
THUMBNAIL = 32
LOOKED_AT = 1000
"""Images, from all over the training part, that show size, colour, mean and deviation."""


@dataclass(frozen=True)
class ImageBatch:
    """Some images side by side.

    Attributes:
        pixels: (W, B, H, C) uint8, 0 beyond an image's own width.
        widths: (B,).
    """

    pixels: Tensor
    widths: Tensor

    def to(self, device: torch.device) -> "ImageBatch":
        """The same on a device."""
        return ImageBatch(self.pixels.to(device), self.widths.to(device))


@dataclass(frozen=True)
class EncodedImages:
    """The distinct images of some rows.

    Attributes:
        images: each (W, H, C) uint8.
        index: which of them each row names, (N,).
        lengths: how many time steps a reader makes of each row, (N,).
    """

    images: Ragged
    index: Integers
    lengths: Integers

    def batch(self, rows: Integers) -> ImageBatch:
        """Some rows side by side."""
        chosen = self.index[rows]
        return ImageBatch(torch.from_numpy(self.images.padded(chosen)), torch.from_numpy(self.images.lengths[chosen]))

    def image(self, row: int) -> Pixels:
        """The image of a row."""
        return self.images[int(self.index[row])]

    @property
    def rows(self) -> Ragged:
        """Each row as a series of the columns of its image, of which every n-th pixel is enough for comparisons."""
        high = self.images.values.shape[1]
        thin = Ragged(self.images.values[:, :: -(-high // THUMBNAIL)], self.images.starts)
        found = thin.flat(self.index)
        return Ragged.of(found.reshape(len(found), -1), self.images.lengths[self.index])


class Images(Input):
    """Image files of one height, or of one size.

    Args:
        size: what they are brought to.
        mean: of each channel in training, (C,).
        deviation: likewise; 1 where all pixels are alike.
        reading: one of READINGS.
        shift: by which share of the height images are moved in training, at most.
    """

    name = "images"
    files = True
    dropout = 0.1

    def __init__(self, size: Size, mean: list[float], deviation: list[float], reading: str, shift: float = 0.0) -> None:
        self.size, self.mean, self.deviation, self.reading, self.shift = size, mean, deviation, reading, shift
        self.grid = Grid(size.height, square=reading == "places")

    @classmethod
    def fit(cls, column: Column, size: str | None, reading: str, shift: float) -> Self:
        """Look at images of the training part for size, colour, mean and deviation."""
        column, _ = _distinct(column)
        some = column.take(spread(len(column), LOOKED_AT))
        given = None if size is None else Size.parse(size)
        sizes, colour = images.survey(images.each(some))
        chosen = given or images.usual(sizes)
        if reading == "rows" and chosen.width is None:
            raise UsageError("to read rows of pixels all images need one width; give --size WIDTHxHEIGHT")
        mean, deviation = images.scale(images.load(some, chosen, 3 if colour else 1))
        return cls(chosen, mean, deviation, reading, shift)

    @property
    def channels(self) -> int:
        """C: 1 for grey, 3 for colours."""
        return len(self.mean)

    def encode(self, column: Column) -> EncodedImages:
        """Read every image; DataError names the first row whose file cannot be read."""
        distinct, index = _distinct(column)
        found = list(images.load(distinct, self.size, self.channels))
        return self._encoded(Ragged.of(np.concatenate(found), np.array([len(image) for image in found])), index)

    def keep(self, column: Column, place: Path) -> EncodedImages:
        """Read every image into a file; they are mapped from there."""
        distinct, index = _distinct(column)
        return self._encoded(
            mapped.write(_file(place), images.load(distinct, self.size, self.channels), *self._kind), index
        )

    def kept(self, column: Column, place: Path) -> EncodedImages:
        """Map what `keep` left."""
        distinct, index = _distinct(column)
        return self._encoded(mapped.read(_file(place), len(distinct), *self._kind), index)

    def found_at(self, place: Path) -> list[str] | None:
        """An image, or the images in a folder."""
        if place.is_dir():
            return [str(path) for path in images.found_in(place)]
        return [str(place)] if images.is_named(place) else None

    def reader(self, features: int) -> Reader:
        """Return a reader of columns, places or rows."""
        scale = self.mean, self.deviation
        if self.reading == "rows":
            assert self.size.width is not None
            return RowReader(self.size.width, scale, self._moved)
        kind = PlaceReader if self.reading == "places" else ColumnReader
        return kind(self.grid, scale, self._moved, features)

    def places(self, width: int) -> tuple[int, int]:
        """How many columns and rows of places the time steps of an image of this width are; columns come first."""
        if self.reading == "rows":
            return 1, self.size.height
        return self.grid.wide(width), self.grid.high if self.reading == "places" else 1

    def facts(self, encoded: EncodedImages) -> dict[str, int]:
        """Count the distinct images and the time steps."""
        return {"images": len(encoded.images), "time_steps": int(encoded.lengths.sum())}

    def to_dict(self) -> dict[str, Any]:
        """Return size, scale and how images are read."""
        return {
            "size": str(self.size),
            "mean": self.mean,
            "deviation": self.deviation,
            "reading": self.reading,
            "shift": self.shift,
        }

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Self:
        """Take what `to_dict` returned."""
        return cls(Size.parse(value["size"]), value["mean"], value["deviation"], value["reading"], value["shift"])

    @property
    def _kind(self) -> tuple[tuple[int, int], type[np.uint8]]:
        """The shape and the type of what is kept of a column of pixels."""
        return (self.size.height, self.channels), np.uint8

    @property
    def _moved(self) -> int:
        """By how many pixels images are moved in training, at most."""
        return round(self.shift * self.size.height)

    def _encoded(self, found: Ragged, index: Integers) -> EncodedImages:
        across = self.grid.wide(found.lengths[index])
        down = self.grid.high if self.reading == "places" else 1
        steps = np.full(len(index), self.size.height) if self.reading == "rows" else across * down
        return EncodedImages(found, index, steps)


def _distinct(column: Column) -> tuple[Column, Integers]:
    """The first row of each image, and which of these each row names; DataError where a row names none."""
    if column.kind not in ("images", "text"):
        raise column.error(0, f"holds {column.kind}, not paths of images")
    column.check_filled()
    return column.distinct()


def _file(place: Path) -> Path:
    return place.with_suffix(".pixels")
