"""Transcripts as a modality: texts that are heard, each as a unit's symbols, and a blank for where none is told.

The unit does the cutting. It does not know what they are heard in.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
import polars as pl

from elman.data.ragged import Integers, Ragged
from elman.data.tables import Column
from elman.modalities import units
from elman.modalities.base import Answer, CategoricalHead
from elman.modalities.symbols import SymbolTexts, learnt

ANY = 1 << 40
"""How long a text may be: the recording says."""


class Transcripts(Answer):
    """Texts as symbols; one more than the unit has, the blank, stands for a time step at which no symbol begins.

    Args:
        unit: what the texts are cut into.
        beams: how many beginnings of a text are followed at a time when one is looked for.
    """

    name = "transcripts"
    stepwise = True

    def __init__(self, unit: units.Unit, beams: int) -> None:
        self.unit, self.beams = unit, beams
        self.blank = unit.size

    @classmethod
    def fit(cls, column: Column, unit: str, limit: int, beams: int) -> Self:
        """Learn the symbols of the texts."""
        return cls(learnt([_spaced(column)], unit, limit), beams)

    def encode(self, column: Column) -> Ragged:
        """Cut every text; DataError names the first row that is empty."""
        return SymbolTexts(self.unit, ANY).encode(_spaced(column)).rows

    def head(self, features: int) -> CategoricalHead:
        """Return a new head that scores every symbol and the blank."""
        return CategoricalHead(features, self.unit.size + 1)

    def text(self, symbols: Sequence[int]) -> str:
        """Return the text of symbols."""
        return self.unit.decode(symbols).strip()

    def to_dict(self) -> dict[str, Any]:
        """Return the unit, and how texts are looked for."""
        return units.dump(self.unit) | {"beams": self.beams}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Self:
        """Take what `to_dict` returned."""
        return cls(units.load(value), value["beams"])


def _spaced(column: Column) -> Column:
    """The column with single spaces in its texts: how wide they are cannot be heard."""
    if column.form != "text":
        return column
    return replace(column, values=column.values.cast(pl.String).str.replace_all(r"\s+", " ").str.strip_chars())


def repeats(texts: Ragged) -> Integers:
    """How often a symbol follows itself in each text, (N,): there a blank must lie between the two."""
    same = np.append(texts.values[1:] == texts.values[:-1], False).astype(np.int64)
    same[texts.starts[1:] - 1] = 0  # the last symbol of a text is followed by another text's
    return np.add.reduceat(same, texts.starts[:-1])
