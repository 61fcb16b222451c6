"""Videos as arrays of pixels: what a row names is an animated image, a folder of images in order, or a list of images.

A video is (T, W, H, C) uint8, each frame as `data.images` has an image. No sound, and no formats of films: those are
cut into frames by other software.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from elman.data import images, tables
from elman.data.images import Pixels, Size
from elman.data.parts import spread
from elman.data.ragged import Integers
from elman.data.tables import FILES, Column

LISTS, FOLDERS = "lists of images", "folders of images"
"""Kinds of column. That texts name folders is told by what lies on disk, so that `Column.kind` has no word for it."""
KINDS = (LISTS, "images", FOLDERS)
"""The kinds of column that may name videos, those that tell most first."""
ANIMATED = ("GIF", "PNG", "WEBP")
"""Formats whose further images are frames; in others they are previews, or what a second camera saw."""
LOOKED_AT = 20
"""Rows, from all over a column, that show whether it names folders, or images that move."""
CUT = "cut films into frames, as `ffmpeg -i film.mp4 -vf fps=5 film/%05d.png` does, and name the folders"


def are_folders(column: Column) -> bool:
    """Whether most of the texts of a column that are looked at name folders with images inside."""
    some = _some(column) if column.kind == "text" else None
    return some is not None and 2 * sum(_is_folder(some, name) for name in some.values) > len(some)


def are_named(column: Column) -> bool:
    """Whether a column names videos: lists of images, folders of them, or files most of which are animated.

    DataError names the first row, of those looked at, that names an image that cannot be read.
    """
    if column.kind != "images":
        return column.kind == LISTS or are_folders(column)
    some = _some(column)
    return 2 * sum(_is_animated(some, index) for index in range(len(some))) > len(some)


def frames(column: Column, index: int, most: int | None = None) -> Iterator[Any]:
    """Yield the frames of the video of a row, upright; DataError where there is none, or one that cannot be read.

    With `most`, of a video that has more frames so many are read, from all over it.
    """
    from PIL import ImageSequence

    value = column.values[index]
    if isinstance(value, str) and not column.path(value).is_dir():
        with images.opened(column, index, value) as image:
            if most is None:
                yield from map(images.upright, ImageSequence.Iterator(image))
                return
            for place in among(getattr(image, "n_frames", 1), most):
                image.seek(int(place))
                yield images.upright(image)
        return
    names = images.inside(column.path(value)) if isinstance(value, str) else list(value)
    if not names or None in names:
        raise column.error(index, f"names {'a frame without a name' if names else 'no frames'}; remove the row")
    for place in among(len(names), most or len(names)):
        name = names[place]
        with images.opened(column, index, str(Path(name).absolute()) if isinstance(name, Path) else name) as image:
            yield images.upright(image)


def among(count: int, most: int) -> Integers:
    """Return which frames are read of so many: all, or `most` of them, from the first to the last."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.int64)


def load(column: Column, size: Size, channels: int, longest: int, *, thin: bool = False) -> Iterator[Pixels]:
    """Yield every video, (T, W, H, channels); DataError names the first row that cannot be read or is too long.

    With `thin` none is too long: of longer ones `longest` frames are read, from all over them.
    """
    for index in range(len(column)):
        found: list[Pixels] = []
        for frame in frames(column, index, longest if thin else None):
            found.append(images.pixels(frame, size.of(*frame.size), channels))
            if len(found) > longest:
                what = f"has more than {longest:,} frames; cut it, or train a new network with a larger --longest"
                raise column.error(index, what)
        yield np.stack(found)


def found_in(folder: Path) -> list[str]:
    """Return the videos in a folder: animated images or folders of frames; the folder itself where it holds frames.

    DataError where it holds none of these.
    """
    if files := images.inside(folder):
        named = tables.from_rows([{"path": str(file)} for file in files], folder.name).column("path")
        return [str(file) for file in files] if are_named(named) else [str(folder)]
    inner = [place for place in images.by_number(folder.iterdir()) if place.is_dir() and images.inside(place)]
    return [str(place) for place in inner or images.found_in(folder)]


def is_film(path: Path) -> bool:
    """Whether a file is called as films are, which are not read."""
    return path.suffix.lower() in FILES["films"]


def _some(column: Column) -> Column:
    filled = column.values.is_not_null().arg_true().to_numpy()
    return column.take(filled[spread(len(filled), LOOKED_AT)].astype(np.int64))


def _is_folder(column: Column, name: str) -> bool:
    try:
        place = column.path(name)
        return bool(name.strip()) and place.is_dir() and any(map(images.is_named, place.iterdir()))
    except (OSError, ValueError, RuntimeError):  # what is no path at all
        return False


def _is_animated(column: Column, index: int) -> bool:
    if column.path(column.values[index]).is_dir():
        return True
    with images.opened(column, index, column.values[index]) as image:
        return image.format in ANIMATED and getattr(image, "is_animated", False)
