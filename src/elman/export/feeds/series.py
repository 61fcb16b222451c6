"""Series as a model's input: z-scores."""

from torch import Tensor

from elman.export.base import BATCH, TIME, Port
from elman.export.feeds.base import Fed, Feed, batched, lengths
from elman.modalities.series import Series
from elman.training.examples import Batch


class SeriesFeed(Feed):
    """Values (B, T, C)."""

    modality = Series
    steps = False  # no task answers the steps of a series

    @property
    def ports(self) -> tuple[Port, ...]:
        """Values and lengths."""
        values = Port("values", (BATCH, TIME, self.read.channels), "z-scores: (value - mean) / deviation")
        return values, lengths("steps")

    def forward(self, *tensors: Tensor) -> Fed:
        """Turn them time first."""
        values, lengths = tensors
        return Fed(values.transpose(0, 1), lengths)

    def tensors(self, batch: Batch) -> tuple[Tensor, ...]:
        """Turn them batch first."""
        return batched(batch.inputs), batch.lengths
