"""Videos as arrays of pixels: what a row names is an animated image, a folder of images in order, or a list of images.

A video is (T, W, H, C) uint8, each frame as `data.images` has an image. No sound, and no formats of films: those are
cut into frames by other software.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from elman.data import images
from elman.data.images import Pixels, Size
from elman.data.tables import Column


def frames(column: Column, index: int) -> Iterator[Any]:
    """Yield the frames of the video of a row, upright; DataError where there is none, or one that cannot be read."""
    from PIL import ImageSequence

    value = column.values[index]
    if isinstance(value, str) and not column.path(value).is_dir():
        with images.opened(column, index, value) as image:
            yield from map(images.upright, ImageSequence.Iterator(image))
        return
    names = images.inside(column.path(value)) if isinstance(value, str) else list(value)
    if not names:
        raise column.error(index, "names no frames; remove the row")
    for name in names:
        with images.opened(column, index, str(Path(name).absolute()) if isinstance(name, Path) else name) as image:
            yield images.upright(image)


def load(column: Column, size: Size, channels: int, longest: int) -> Iterator[Pixels]:
    """Yield every video, (T, W, H, channels); DataError names the first row that cannot be read or is too long."""
    for index in range(len(column)):
        found: list[Pixels] = []
        for frame in frames(column, index):
            found.append(images.pixels(frame, size.of(*frame.size), channels))
            if len(found) > longest:
                raise column.error(index, f"has more than {longest:,} frames; cut it, or allow it with --longest")
        yield np.stack(found)
