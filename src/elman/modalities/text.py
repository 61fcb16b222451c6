"""Text as a modality: symbols in, a distribution over the next symbol out.

The unit (character, byte, word, subword) does the cutting; the training data does not pass through here twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import nn

from elman.data import stream
from elman.data.stream import Symbols
from elman.data.text import TextSource
from elman.modalities import units
from elman.modalities.base import CategoricalHead, Modality


@dataclass(frozen=True)
class EncodedText:
    """A text as symbols on disk.

    Attributes:
        symbols: (T,), mapped.
        characters: how many characters they stand for.
        unknown: how many of them are the unknown symbol.
    """

    symbols: Symbols
    characters: int
    unknown: int

    def facts(self) -> dict[str, int]:
        """Return the counts, for JSON."""
        return {"symbols": len(self.symbols), "characters": self.characters, "unknown": self.unknown}


class Text(Modality):
    """Text cut into the symbols of a unit."""

    name = "text"

    def __init__(self, unit: units.Unit) -> None:
        self.unit = unit

    @classmethod
    def fit(cls, source: TextSource, unit: str, limit: int) -> Self:
        """Learn the symbols of the training text."""
        return cls(units.find(unit).fit(source.blocks(), limit))

    def extended(self, source: TextSource) -> Self:
        """Return the same with the symbols that are new in a further text, if the unit can grow."""
        return type(self)(self.unit.extended(source.blocks()))

    def encode(self, source: TextSource, target: Path) -> EncodedText:
        """Encode `source` block by block into the file `target`."""
        characters = unknown = 0

        def blocks() -> Iterator[Symbols]:
            nonlocal characters, unknown
            for symbols, count in self.unit.encode_source(source):
                characters += count
                unknown += 0 if self.unit.unknown is None else int((symbols == self.unit.unknown).sum())
                yield symbols

        symbols = stream.write(target, blocks(), self.unit.size)
        return EncodedText(symbols, characters, unknown)

    def reader(self, features: int) -> nn.Module:
        """Return an embedding (Bengio et al. 2003); the unknown symbol starts, and stays, as nothing."""
        embedding = nn.Embedding(self.unit.size, features)
        if self.unit.unknown is not None:
            with torch.no_grad():
                embedding.weight[self.unit.unknown].zero_()
        return embedding

    def head(self, features: int) -> CategoricalHead:
        """Return a linear map to one score per symbol."""
        return CategoricalHead(features, self.unit.size)

    def to_dict(self) -> dict[str, Any]:
        """Describe the unit."""
        return units.dump(self.unit)

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Self:
        """Load the unit."""
        return cls(units.load(value))
