"""Series as a model's input: z-scores."""

from collections.abc import Iterator, Mapping

from torch import Tensor

from elman.export.base import BATCH, TIME, Port, Runner
from elman.export.feeds.base import Fed, Feed, batched, lengths
from elman.modalities.series import Series
from elman.training.examples import Batch


class SeriesFeed(Feed):
    """Values (B, T, C)."""

    modality = Series

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

    @property
    def step_ports(self) -> tuple[Port, ...]:
        """The values of a step, and those of the step before, whose difference is read too."""
        (values,) = super().step_ports
        return values, Port("before", values.axes, "values of the step before; of a first step its own")

    def step(self, *tensors: Tensor) -> Tensor:
        """Read values and those before them, (B, C) each."""
        values, before = tensors
        features: Tensor = self.reader(values.unsqueeze(0), before)[0]
        return features

    def pieces(self, runners: Mapping[str, Runner], tensors: tuple[Tensor, ...]) -> Iterator[tuple[Tensor, ...]]:
        """The values of each step beside those before."""
        del runners
        steps = tensors[0].unbind(1)
        return zip(steps, (steps[0], *steps[:-1]), strict=True)
