"""Image files as arrays of pixels, brought to one height and one number of channels.

An image is (W, H, C) uint8, its columns first: read from left to right, they are its time steps. It does not know what
is in the pictures.
"""

import base64
import io
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from elman import files
from elman.data.tables import Column
from elman.errors import UsageError

Pixels = npt.NDArray[np.uint8]

HIGHEST, WIDEST = 64, 4096
"""Pixels: how high images are read where the user does not say it, and how wide one may become."""
LOOKED_AT = 1000
"""Images, from all over the training part, that show size, colour, mean and deviation."""
COLOURFUL = 8
"""By how much the channels of a colour differ at least; less is grey that was compressed."""


class Size(NamedTuple):
    """What images are brought to: a width and a height, or a height alone, where every image keeps its proportions."""

    width: int | None
    height: int

    def __str__(self) -> str:
        """Return 28x28, or x28."""
        return f"{self.width or ''}x{self.height}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read WIDTHxHEIGHT or xHEIGHT; UsageError for anything else."""
        found = re.fullmatch(r"(\d*)x(\d+)", text.strip().lower())
        sides = [int(side) for side in found.groups() if side] if found else [0]
        if not found or min(sides) < 1 or max(sides) > WIDEST:
            raise UsageError(f"--size {text!r} is no size; write WIDTHxHEIGHT such as 64x48, or xHEIGHT such as x32")
        return cls(int(found[1]) if found[1] else None, int(found[2]))

    def of(self, width: int, height: int) -> tuple[int, int]:
        """Return width and height for an image of this width and height."""
        return self.width or max(1, round(width * self.height / height)), self.height


def usual(sizes: Sequence[tuple[int, int]]) -> Size:
    """Return the size that most images have, or where none is so common the commonest height; at most HIGHEST high."""
    (width, height), count = Counter(sizes).most_common(1)[0]
    if 2 * count <= len(sizes):
        (height, _), *_ = Counter(height for _, height in sizes).most_common(1)
        return Size(None, min(height, HIGHEST))
    lower = min(height, HIGHEST)
    return Size(min(WIDEST, max(1, round(width * lower / height))), lower)


def survey(column: Column) -> tuple[list[tuple[int, int]], bool]:
    """Return the sizes of some of a column's images, and whether any has colours."""
    sizes, colour = [], False
    for index in some(len(column)):
        with _opened(column, int(index)) as image:
            upright = _upright(image)
            sizes.append(upright.size)
            small = _plain(upright.resize((min(64, upright.width), min(64, upright.height))), 3)
            colour = colour or bool(np.ptp(np.asarray(small).astype(np.int16), -1).max() > COLOURFUL)
    return sizes, colour


def some(count: int) -> npt.NDArray[np.int64]:
    """The numbers of at most LOOKED_AT of so many rows, from all over."""
    return np.unique(np.linspace(0, count - 1, min(count, LOOKED_AT)).astype(np.int64))


def load(column: Column, size: Size, channels: int) -> Iterator[Pixels]:
    """Yield the image that each row names, (W, H, channels); DataError names the first row that cannot be read."""
    for index in range(len(column)):
        with _opened(column, index) as image:
            upright = _upright(image)
            width, height = size.of(*upright.size)
            if width > WIDEST:
                raise column.error(
                    index, f"names an image {width:,} pixels wide at a height of {height}; give --size WIDTHxHEIGHT"
                )
            yield pixels(upright, (width, height), channels)


def pixels(image: Any, size: tuple[int, int], channels: int) -> Pixels:
    """Return the pixels of an image of Pillow's, resized, (W, H, channels)."""
    from PIL.Image import Resampling

    plain = _plain(image, channels)
    if plain.size != size:
        plain = plain.resize(size, Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(plain).reshape(size[1], size[0], channels).swapaxes(0, 1)


def data_uri(image: Pixels) -> str:
    """Return an image (W, H, C) as a PNG that a page can hold."""
    from PIL import Image

    upright = image.swapaxes(0, 1)
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(upright[..., 0] if upright.shape[-1] == 1 else upright)).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")


@contextmanager
def _opened(column: Column, index: int) -> Iterator[Any]:
    """The image that a row names, opened; what goes wrong with it inside the block is told by row."""
    from PIL import Image, UnidentifiedImageError

    name = column.values[index]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(Path(column.source).parent / name) as image:
                yield image
    except UnidentifiedImageError as error:
        raise column.error(index, f"names {name}, which is no image that Pillow can read; replace the file") from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise column.error(index, f"names {name}, an image of too many pixels; make it smaller") from error
    except (OSError, SyntaxError, ValueError) as error:
        why = files.reason(error) if isinstance(error, OSError) else str(error)
        raise column.error(index, f"names {name}, which cannot be read: {why}") from error


def _upright(image: Any) -> Any:
    """The image as its camera held it."""
    from PIL import ImageOps

    return ImageOps.exif_transpose(image)


def _plain(image: Any, channels: int) -> Any:
    """The image in eight bits, grey or in colours, with white behind what is transparent."""
    from PIL import Image

    if image.mode.startswith("I"):  # sixteen bits of grey, which Pillow would cut off at 255
        image = Image.fromarray((np.asarray(image) / 257).clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("L" if channels == 1 else "RGB")
