"""A label as a modality: one of a few names for a whole row."""

from typing import Self

import numpy as np
import polars as pl
from torch import Tensor

from elman.data.ragged import Integers, Ragged
from elman.data.tables import Column
from elman.errors import DataError
from elman.modalities import names
from elman.modalities.base import Output


class Label(Output):
    """One of a few names. Numbers and booleans are names too."""

    name = "label"
    stepwise = False

    @classmethod
    def fit(cls, column: Column) -> Self:
        """Collect the names; DataError where there is only one, or where most rows have one of their own."""
        label = cls(*names.collected(_filled(column)))
        if len(label.symbols) < 2:
            is_one = f"is {label.values[0]!r}" if label.symbols else "is no label"
            raise DataError(
                f"{column.source}: every row of column {column.name!r} {is_one}; there is nothing to tell apart"
            )
        names.check_few(column, label.symbols, len(column), "rows")
        return label

    def extended(self, column: Column) -> Self:
        """Add the names that are new; DataError where most rows have one of their own."""
        symbols = self.added(_filled(column))
        names.check_few(column, symbols[len(self.symbols) :], len(column), "rows")
        return type(self)(symbols, self.kind)

    def encode(self, column: Column) -> Ragged:
        """Look the names up; DataError names the row of the first that training has not seen."""
        values = _filled(column)
        numbers = self.numbers(values)
        if (index := column.first(numbers.is_null())) is not None:
            raise column.error(index, f"is {values[index]!r}, {names.unseen(values[index], self.values)}")
        return Ragged.of(numbers.to_numpy(), np.ones(len(column), np.int64))

    def decode(self, log_probabilities: Tensor, lengths: Integers) -> Tensor:
        """Return the most probable name's number, (B,)."""
        del lengths
        return log_probabilities.argmax(-1)


def _filled(column: Column) -> pl.Series:
    """The values; DataError at the first row without one."""
    if column.kind not in ("text", "number", "times") or column.values.dtype == pl.Duration:
        raise column.error(0, f"holds {column.kind}, not one label; name another column with --output")
    column.check_filled()
    if (index := column.first(names.texts(column.values).str.strip_chars() == "")) is not None:
        raise column.error(index, "is empty; fill it in, or remove the row")
    return names.texts(column.values) if column.kind == "times" else column.values
