"""Texts in symbols of a unit as a model's input: numbers."""

from torch import Tensor

from elman.export.base import BATCH, INDEX, TIME, Port
from elman.export.feeds.base import Fed, Feed, batched, lengths
from elman.modalities.symbols import SymbolTexts
from elman.training.examples import Batch


class SymbolFeed(Feed):
    """Symbols (B, T)."""

    modality = SymbolTexts

    @property
    def ports(self) -> tuple[Port, ...]:
        """Symbols and lengths."""
        noun = self.read.unit.noun
        return Port("symbols", (BATCH, TIME), f"the {noun}s that are read, by number", INDEX), lengths(f"{noun}s")

    def forward(self, *tensors: Tensor) -> Fed:
        """Turn them time first."""
        symbols, lengths = tensors
        return Fed(symbols.transpose(0, 1), lengths)

    def tensors(self, batch: Batch) -> tuple[Tensor, ...]:
        """Turn them batch first."""
        return batched(batch.inputs), batch.lengths
