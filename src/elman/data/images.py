"""Image files as arrays of pixels, brought to one height and one number of channels.

An image is (W, H, C) uint8, its columns first: read from left to right, they are its time steps. It does not know what
is in the pictures.
"""

import base64
import io
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from elman import files
from elman.data.tables import FILES, Column
from elman.errors import DataError, UsageError

Pixels = npt.NDArray[np.uint8]

HIGHEST, WIDEST = 64, 4096
"""Pixels: how high images are read where the user does not say it, and how wide one may become."""
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


def usual(sizes: Sequence[tuple[int, int]], *, fixed: bool = False) -> Size:
    """Return the size that most images have, or where none is so common the commonest height; at most HIGHEST high.

    With `fixed` it is the commonest size in any case.
    """
    (width, height), count = Counter(sizes).most_common(1)[0]
    if 2 * count <= len(sizes) and not fixed:
        (height, _), *_ = Counter(height for _, height in sizes).most_common(1)
        return Size(None, min(height, HIGHEST))
    lower = min(height, HIGHEST)
    return Size(min(WIDEST, max(1, round(width * lower / height))), lower)


def survey(seen: Iterable[Any]) -> tuple[list[tuple[int, int]], bool]:
    """Return the sizes of images of Pillow's, and whether any has colours."""
    sizes, colour = [], False
    for image in seen:
        sizes.append(image.size)
        small = _plain(image.resize((min(64, image.width), min(64, image.height))), 3)
        colour = colour or bool(np.ptp(np.asarray(small).astype(np.int16), -1).max() > COLOURFUL)
    return sizes, colour


def scale(seen: Iterable[Pixels]) -> tuple[list[float], list[float]]:
    """Return mean and deviation of each channel of some images, (..., C) each; 1 where a channel's pixels are alike."""
    count, total, squares = 0, np.zeros(1), np.zeros(1)
    for image in seen:
        flat = image.reshape(-1, image.shape[-1]).astype(np.float64)
        count, total, squares = count + len(flat), total + flat.sum(0), squares + (flat**2).sum(0)
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 0))
    return mean.tolist(), np.where(deviation > 1e-6, deviation, 1.0).tolist()


def each(column: Column) -> Iterator[Any]:
    """Yield the image that each row names, upright; DataError names the first row that cannot be read."""
    for index, name in enumerate(column.values):
        with opened(column, index, name) as image:
            yield upright(image)


def load(column: Column, size: Size, channels: int) -> Iterator[Pixels]:
    """Yield the image that each row names, (W, H, channels); DataError names the first row that cannot be read."""
    for index, image in enumerate(each(column)):
        width, height = size.of(*image.size)
        if width > WIDEST:
            raise column.error(
                index, f"names an image {width:,} pixels wide at a height of {height}; give --size WIDTHxHEIGHT"
            )
        yield pixels(image, (width, height), channels)


def pixels(image: Any, size: tuple[int, int], channels: int) -> Pixels:
    """Return the pixels of an image of Pillow's, resized, (W, H, channels)."""
    from PIL.Image import Resampling

    plain = _plain(image, channels)
    if plain.size != size:
        plain = plain.resize(size, Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(plain).reshape(size[1], size[0], channels).swapaxes(0, 1)


def is_named(path: Path) -> bool:
    """Whether a file is called as images are."""
    return path.suffix.lower() in FILES["images"]


def inside(folder: Path) -> list[Path]:
    """Return the images in a folder, in the order of their names, numbers in them by their value."""
    return by_number(filter(is_named, folder.iterdir()))


def found_in(folder: Path) -> list[Path]:
    """Return the same; DataError where there are none."""
    if not (found := inside(folder)):
        raise DataError(f"the folder {folder} holds no images; their names end in {', '.join(FILES['images'])}")
    return found


def data_uri(image: Pixels) -> str:
    """Return an image (W, H, C) as a PNG that a page can hold."""
    from PIL import Image

    upright = image.swapaxes(0, 1)
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(upright[..., 0] if upright.shape[-1] == 1 else upright)).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")


@contextmanager
def opened(column: Column, index: int, name: str) -> Iterator[Any]:
    """An image that a row names, opened; what goes wrong with it inside the block is told by row."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(column.path(name)) as image:
                yield image
    except UnidentifiedImageError as error:
        raise column.error(index, f"names {name}, which is no image that Pillow can read; replace the file") from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise column.error(index, f"names {name}, an image of too many pixels; make it smaller") from error
    except (EOFError, IndexError) as error:
        raise column.error(index, f"names {name}, which cannot be read: it is cut off") from error
    except (OSError, SyntaxError, ValueError) as error:
        why = files.reason(error) if isinstance(error, OSError) else str(error)
        raise column.error(index, f"names {name}, which cannot be read: {why}") from error


def by_number(paths: Iterable[Path]) -> list[Path]:
    """Sort paths by their names, so that 9.png comes before 10.png."""

    def key(path: Path) -> list[tuple[bool, int, str]]:
        parts = re.findall(r"\d+|\D+", path.name)
        return [(not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]

    return sorted(paths, key=key)


def upright(image: Any) -> Any:
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
