"""Rows of unequal length in one flat array, and padded batches of some of them, time first.

It does not know what the values mean.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Integers = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Ragged:
    """B rows: row b holds `values[starts[b]:starts[b + 1]]`.

    Attributes:
        values: (sum of lengths, ...), of any type.
        starts: (B + 1,).
    """

    values: Array
    starts: Integers

    @classmethod
    def of(cls, values: Array, lengths: Array) -> "Ragged":
        """Make rows of these lengths."""
        return cls(values, np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]))

    @classmethod
    def joined(cls, rows: Sequence[Array], kind: npt.DTypeLike) -> "Ragged":
        """Make it of rows that are given one by one, the values cast to a type."""
        values = np.concatenate([np.empty(0, kind), *rows]).astype(kind)
        return cls.of(values, np.array([len(row) for row in rows], np.int64))

    def __len__(self) -> int:
        """B."""
        return len(self.starts) - 1

    def __iter__(self) -> Iterator[Array]:
        """The rows, one after the other."""
        return (self[row] for row in range(len(self)))

    def __getitem__(self, row: int) -> Array:
        """The values of one row, (T, ...)."""
        return self.values[self.starts[row] : self.starts[row + 1]]

    def row_of(self, place: int) -> int:
        """The row that the value at this place belongs to."""
        return int(np.searchsorted(self.starts, place, side="right")) - 1

    @property
    def lengths(self) -> Integers:
        """How many values each row has, (B,)."""
        return np.diff(self.starts)

    def first(self, count: int) -> "Ragged":
        """The first rows."""
        return Ragged(self.values[: self.starts[min(count, len(self))]], self.starts[: count + 1])

    def take(self, rows: Array) -> "Ragged":
        """Some of the rows."""
        return Ragged.of(self.flat(rows), self.lengths[rows])

    def flat(self, rows: Integers) -> Array:
        """The values of some rows, one row after the other."""
        return self.values[self.places(rows)[0]]

    def padded(self, rows: Integers, fill: float = 0) -> Array:
        """Some rows side by side, (T, B, ...) with the longest row's T; `fill` beyond a row's end."""
        places, lengths = self.places(rows)
        padded = np.full((int(lengths.max(initial=0)), len(rows), *self.values.shape[1:]), fill, self.values.dtype)
        padded[within(lengths), row_of(lengths)] = self.values[places]
        return padded

    def places(self, rows: Integers) -> tuple[Integers, Integers]:
        """Where the values of some rows lie, and how many each row has."""
        lengths = self.lengths[rows]
        return np.repeat(self.starts[rows], lengths) + within(lengths), lengths


def row_of(lengths: Array | Sequence[int]) -> Integers:
    """0 for each value of the first row, 1 for each of the second, and so on."""
    return np.repeat(np.arange(len(lengths)), lengths)


def within(lengths: Array) -> Integers:
    """0 ... length-1 for each length, one after the other."""
    ends = np.cumsum(lengths, dtype=np.int64)
    return np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - lengths, lengths)
