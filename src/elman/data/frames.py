"""Rows of frames of small integers in one file, mapped and not read: memory stays that of a batch.

A file holds the frames of all rows, one row after the other, and behind them how many frames each row has. It does not
know what the numbers mean.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from elman import files
from elman.data.ragged import Ragged
from elman.errors import RunError

Frames = npt.NDArray[np.int8]
"""(T, C)."""

LENGTH = np.dtype("<i8")


def write(path: Path, rows: Iterable[Frames], width: int) -> Ragged:
    """Write rows of frames of `width` numbers to `path`, whole or not at all, and return them mapped from there."""
    lengths: list[int] = []

    def fill(temporary: Path) -> None:
        with temporary.open("wb") as file:
            for row in rows:
                file.write(row.tobytes())
                lengths.append(len(row))
            file.write(np.array(lengths, LENGTH).tobytes())

    files.replace(path, fill)
    return read(path, len(lengths), width)


def read(path: Path, rows: int, width: int) -> Ragged:
    """Map the frames of so many rows that `write` left at `path`; RunError when they are gone or damaged."""
    try:
        size = path.stat().st_size
        offset = size - rows * LENGTH.itemsize
        lengths = np.fromfile(path, LENGTH, offset=max(0, offset))
    except OSError as error:
        raise RunError(f"cannot read {path}: {files.reason(error)}; restore it, or train the run anew") from error
    if offset < 0 or lengths.min(initial=0) < 0 or lengths.sum() * width != offset:
        raise RunError(f"{path} is damaged: it should hold {rows:,} rows; restore it, or train the run anew")
    values = np.memmap(path, np.int8, mode="r", shape=(int(lengths.sum()), width)) if offset else np.empty((0, width))
    return Ragged.of(values, lengths)
