"""Short texts as a modality: a column of texts, each cut into characters, bytes or subwords.

The unit does the cutting. It does not know what the texts are read for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from elman.data.ragged import Integers, Ragged
from elman.data.tables import Column
from elman.modalities import units
from elman.modalities.base import Input, Reader
from elman.modalities.words import cut

WHOLE = r"(?s).*\S.*"


@dataclass(frozen=True)
class EncodedSymbols:
    """Rows of symbols."""

    rows: Ragged

    @property
    def lengths(self) -> Integers:
        """Symbols in each row."""
        return self.rows.lengths

    def batch(self, rows: Integers) -> Tensor:
        """Some rows side by side, (T, B) int64."""
        return torch.from_numpy(self.rows.padded(rows).astype(np.int64))


class SymbolTexts(Input):
    """Texts as rows of a unit's symbols.

    Args:
        unit: what the texts are cut into.
        longest: the most symbols that a text may have.
    """

    name = "symbols"

    def __init__(self, unit: units.Unit, longest: int) -> None:
        self.unit, self.longest = unit, longest

    @classmethod
    def fit(cls, column: Column, unit: str, limit: int, longest: int) -> Self:
        """Learn the symbols of the training texts."""
        return cls(units.find(unit).fit(_texts(column), limit), longest)

    def encode(self, column: Column) -> EncodedSymbols:
        """Cut every text; DataError names the first row that is empty or too long."""
        encoded = [self.unit.encode(text) for text in _texts(column)]
        lengths = np.array([len(row) for row in encoded])
        if len(wrong := np.flatnonzero(lengths > self.longest)):
            raise column.error(
                int(wrong[0]),
                f"has {lengths[wrong[0]]:,} {self.unit.noun}s, more than {self.longest:,}; shorten it, or allow it "
                "with --longest",
            )
        return EncodedSymbols(Ragged.of(np.concatenate(encoded).astype(np.int32), lengths))

    def reader(self, features: int) -> Reader:
        """Return an embedding."""
        return SymbolReader(self.unit.size, features)

    def facts(self, encoded: EncodedSymbols) -> dict[str, int]:
        """Count the symbols."""
        return {f"{self.unit.noun}s": len(encoded.rows.values)}

    def to_dict(self) -> dict[str, Any]:
        """Return the unit."""
        return units.dump(self.unit) | {"longest": self.longest}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Self:
        """Take the unit."""
        return cls(units.load(value), value["longest"])


class SymbolReader(Reader):
    """One vector per symbol."""

    def __init__(self, symbols: int, features: int) -> None:
        super().__init__()
        self.features = features
        self.embedding = nn.Embedding(symbols, features)

    def forward(self, symbols: Tensor) -> Tensor:
        """Return (T, B, features) for symbols (T, B)."""
        found: Tensor = self.embedding(symbols)
        return found


def _texts(column: Column) -> Iterator[str]:
    """The column's texts; DataError at the first that is empty."""
    if column.kind != "text":
        raise column.error(0, f"holds {column.kind}, not text; lists of tokens are read by --unit word")
    cut(column, WHOLE, 1)
    return iter(column.values)
