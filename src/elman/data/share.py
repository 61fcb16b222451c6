"""Which rows of a batch are one process's own, where several learn from it together."""

from dataclasses import dataclass
from typing import TypeVar

from elman.data.ragged import Integers

Rows = TypeVar("Rows", Integers, range)


@dataclass(frozen=True)
class Share:
    """Every `count`-th row, from `number` on: rows that lie side by side are alike, and so are shares of them."""

    number: int = 0
    count: int = 1

    def of(self, rows: Rows) -> Rows:
        """Return this share's rows of a batch."""
        return rows[self.number :: self.count]


WHOLE = Share()
