"""Short texts as modalities: a column of texts, each cut into characters, bytes, words or subwords; read, or written.

The unit does the cutting. Where a word's symbol begins with a space, every text is cut as if one stood before it, so
that a word is the same symbol at the beginning as it is inside. It does not know what the texts are about.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from elman.data.ragged import Integers, Ragged
from elman.data.stream import Symbols
from elman.data.tables import Column
from elman.modalities import units
from elman.modalities.base import Answer, Input, Reader
from elman.modalities.words import cut, doubtful

WHOLE = r"(?s).*\S.*"


@dataclass(frozen=True)
class EncodedSymbols:
    """Rows of symbols; `shortened` of them were longer than what is read."""

    rows: Ragged
    shortened: int = 0

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
        shorten: whether only so many symbols of a longer text are read; otherwise it is an error.
    """

    name = "symbols"

    def __init__(self, unit: units.Unit, longest: int, *, shorten: bool = False) -> None:
        self.unit, self.longest, self.shorten = unit, longest, shorten
        self._allowed = None if shorten else longest

    @classmethod
    def fit(cls, column: Column, unit: str, limit: int, longest: int) -> Self:
        """Learn the symbols of the training texts."""
        return cls(learnt([column], unit, limit), longest)

    def encode(self, column: Column) -> EncodedSymbols:
        """Cut every text; DataError names the first row that is empty or too long."""
        rows = _encoded(self.unit, column, self._allowed)
        kept = [row[: self.longest] for row in rows]
        return EncodedSymbols(Ragged.joined(kept, np.int32), sum(len(row) > self.longest for row in rows))

    def check(self, column: Column) -> None:
        """Cut the texts that may be empty or too long."""
        _encoded(self.unit, doubtful(column, self._allowed), self._allowed)

    def reader(self, features: int) -> Reader:
        """Return an embedding."""
        return SymbolReader(self.unit.size, features)

    def facts(self, encoded: EncodedSymbols) -> dict[str, int]:
        """Count the symbols, and the texts of which only the beginning is read."""
        counts = {f"{self.unit.noun}s": len(encoded.rows.values)}
        return counts | ({"shortened": encoded.shortened} if self.shorten else {})

    def to_dict(self) -> dict[str, Any]:
        """Return the unit."""
        return units.dump(self.unit) | {"longest": self.longest, "shorten": self.shorten}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Self:
        """Take the unit."""
        return cls(units.load(value), value["longest"], shorten=value.get("shorten", False))


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


class WrittenTexts(Answer):
    """Texts to write, each as a unit's symbols with one more behind them that says that it ends.

    Args:
        unit: what the texts are cut into; `unit.size` is the symbol of the end.
        longest: the most symbols that a text may have, without the end.
        beams: how many unfinished texts are followed at a time when one is looked for.
        length_norm: texts of different lengths are compared by ln P / length ** length_norm.
    """

    name = "written"
    stepwise = True

    def __init__(self, unit: units.Unit, longest: int, beams: int, length_norm: float) -> None:
        self.unit, self.longest, self.beams, self.length_norm = unit, longest, beams, length_norm

    def encode(self, column: Column) -> Ragged:
        """Cut every text; DataError names the first row that is empty or too long."""
        rows = _encoded(self.unit, column, self.longest)
        return Ragged.joined([np.append(row, self.unit.size) for row in rows], np.int32)

    def text(self, symbols: Sequence[int]) -> str:
        """Return the text of symbols without the end."""
        return self.unit.decode(symbols).strip()

    def to_dict(self) -> dict[str, Any]:
        """Return the unit, and how texts are looked for."""
        own = {"longest": self.longest, "beams": self.beams, "length_norm": self.length_norm}
        return units.dump(self.unit) | own

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Self:
        """Take what `to_dict` returned."""
        return cls(units.load(value), value["longest"], value["beams"], value["length_norm"])


def learnt(columns: Sequence[Column], unit: str, limit: int) -> units.Unit:
    """Return the unit of that name, with the symbols of all texts of some columns."""
    kind = units.find(unit)
    for column in columns:
        _check(column, column.kind)
    return kind.fit((text for column in columns for text in _texts(column, kind)), limit)


def _texts(column: Column, unit: units.Unit | type[units.Unit]) -> Iterator[str]:
    """The column's texts, as the unit cuts them; DataError at the first that is empty."""
    _check(column, column.form)
    cut(column, WHOLE, 1)
    return (f" {text.strip()}" if unit.spaced else text for text in column.values)


def _check(column: Column, held: str) -> None:
    """Raise DataError where what a column holds is no text."""
    if held != "text":
        raise column.error(0, f"holds {held}, not text; lists of tokens are read by --unit word")


def _encoded(unit: units.Unit, column: Column, longest: int | None) -> list[Symbols]:
    encoded = unit.encode_rows(_texts(column, unit))
    lengths = np.array([len(row) for row in encoded])
    if longest is not None and len(wrong := np.flatnonzero(lengths > longest)):
        many = f"{lengths[wrong[0]]:,} {unit.noun}s, more than {longest:,}"
        raise column.error(int(wrong[0]), f"has {many}; shorten it, or train a new network with a larger --longest")
    return encoded
