"""Rows of unequal length in a file, mapped from disk: what is too large to lie in memory or in a table.

The file holds the values of all rows, one row after the other, and behind them the rows' lengths. It does not know
what the values mean.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from elman import files
from elman.data.ragged import Array, Ragged
from elman.errors import RunError

LENGTH = np.dtype("<u4")
Kind = type[np.uint8] | type[np.int8]


def write(path: Path, rows: Iterable[Array], shape: tuple[int, ...], kind: Kind) -> Ragged:
    """Write rows, (T, *shape) each, whole or not at all; return them mapped from there."""
    lengths: list[int] = []

    def fill(temporary: Path) -> None:
        with temporary.open("wb") as file:
            for row in rows:
                file.write(np.ascontiguousarray(row, kind).tobytes())
                lengths.append(len(row))
            file.write(np.array(lengths, LENGTH).tobytes())

    files.replace(path, fill)
    return read(path, len(lengths), shape, kind)


def read(path: Path, count: int, shape: tuple[int, ...], kind: Kind) -> Ragged:
    """Map the `count` rows that `write` left at `path`, (T, *shape) each; RunError when they are gone or damaged."""
    try:
        size = path.stat().st_size
        lengths = np.fromfile(path, LENGTH, count, offset=max(0, size - count * LENGTH.itemsize)).astype(np.int64)
    except OSError as error:
        raise RunError(f"cannot read {path}: {files.reason(error)}; restore it, or train the run anew") from error
    total = int(lengths.sum())
    width = int(np.prod(shape, dtype=np.int64)) * np.dtype(kind).itemsize
    if size != total * width + count * LENGTH.itemsize:
        raise RunError(f"{path} is damaged: it should hold {count:,} rows; restore it, or train the run anew")
    values = np.memmap(path, kind, "r", shape=(total, *shape)) if total else np.empty((0, *shape), kind)
    return Ragged.of(values, lengths)
