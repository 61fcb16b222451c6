"""A label as a modality: one of a few names for a whole row."""

from typing import Any, Self

import numpy as np
import polars as pl
from torch import Tensor

from elman.data.ragged import Integers, Ragged
from elman.data.tables import Column
from elman.errors import DataError
from elman.modalities.base import Output

MOST = 20
SHOWN = 5


class Label(Output):
    """One of a few names. Numbers and booleans are names too.

    Args:
        symbols: the names.
    """

    name = "label"
    stepwise = False

    def __init__(self, symbols: list[str]) -> None:
        self.symbols = symbols

    @classmethod
    def fit(cls, column: Column) -> Self:
        """Collect the names; DataError where there is only one, or where most rows have one of their own."""
        names = _names(column).unique().sort()
        if len(names) < 2:
            raise DataError(
                f"{column.source}: every row of column {column.name!r} is {names[0]!r}; there is nothing to tell apart"
            )
        if len(names) > max(MOST, len(column) // 2):
            raise DataError(
                f"{column.source}: column {column.name!r} has {len(names):,} different values in {len(column):,} rows; "
                "name a column of labels with --output"
            )
        return cls(names.to_list())

    def encode(self, column: Column) -> Ragged:
        """Look the names up; DataError names the row of the first that training has not seen."""
        names = _names(column)
        numbers = names.replace_strict(
            self.symbols, list(range(len(self.symbols))), default=None, return_dtype=pl.Int32
        )
        if (index := column.first(numbers.is_null())) is not None:
            raise column.error(index, f"is {names[index]!r}, which training has never seen; there {said(self.symbols)}")
        return Ragged.of(numbers.to_numpy(), np.ones(len(column), np.int64))

    def decode(self, log_probabilities: Tensor, lengths: Integers) -> Tensor:
        """Return the most probable name's number, (B,)."""
        del lengths
        return log_probabilities.argmax(-1)

    def to_dict(self) -> dict[str, Any]:
        """Return the names."""
        return {"symbols": self.symbols}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Self:
        """Take the names."""
        return cls(value["symbols"])


def said(symbols: list[str]) -> str:
    """Return "was 'a'" or "were 'a', 'b' and 7 more"."""
    shown = ", ".join(repr(symbol) for symbol in symbols[:SHOWN])
    more = f" and {len(symbols) - SHOWN} more" if len(symbols) > SHOWN else ""
    return f"{'were' if len(symbols) > 1 else 'was'} {shown}{more}"


def _names(column: Column) -> pl.Series:
    """The values as texts; DataError at the first row without one."""
    if column.kind not in ("text", "number"):
        raise column.error(0, f"holds {column.kind}, not one label; name another column with --output")
    column.check_filled()
    names = column.values.cast(pl.String)
    if (index := column.first(names.str.strip_chars() == "")) is not None:
        raise column.error(index, "is empty; fill it in, or remove the row")
    return names
