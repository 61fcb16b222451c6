"""Networks that forecast: one model from a window of the past to quantiles and mean of what follows.

It knows the topology `SegmentForecaster` and the scales of its columns.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from elman.data.scales import FAR
from elman.export.base import BATCH, Exporter, Model, Port, Runner, StandIn, Trial, difference
from elman.export.recurrence import portable
from elman.modalities.forecast import LEVELS
from elman.topologies.forecaster import SegmentForecaster

ROWS = (1, 2, 7, 64)
"""Of the trials' batches."""
MEANINGS = {
    "column": "z-scores of the columns",
    "series": "z-scores of the columns of each series",
    "window": "z-scores of the columns, each window's own",
}
ROUNDING = 1e-5
"""Of float32, in deviations."""


class Window(nn.Module):
    """(B, T, C) to quantiles (B, horizon, targets, Q), in order, and the mean (B, horizon, targets)."""

    def __init__(self, network: SegmentForecaster) -> None:
        super().__init__()
        self.network = portable(network)

    def forward(self, past: Tensor) -> tuple[Tensor, Tensor]:
        """Return quantiles and mean."""
        found = self.network(past.transpose(0, 1)).transpose(0, 1)
        return found[..., :-1].sort(-1).values, found[..., -1]


class Forecasting(Exporter):
    """Forecasts."""

    topology = SegmentForecaster
    script = "forecast"

    def models(self) -> list[Model]:
        """Return the one model."""
        layout, forecast = self.prepared.layout, self.prepared.forecast
        columns, targets = len(layout.targets) + len(layout.covariates), len(layout.targets)
        return [
            Model(
                "model",
                f"forecasts {layout.horizon} time steps from the last {layout.context}",
                Window(self.network),
                (
                    Port(
                        "past",
                        (BATCH, layout.context, columns),
                        f"{MEANINGS[forecast.scale]}, the last step last",
                    ),
                ),
                (
                    Port("quantiles", (BATCH, layout.horizon, targets, len(LEVELS)), "of z-scores, at `levels`"),
                    Port("mean", (BATCH, layout.horizon, targets), "of z-scores"),
                ),
            )
        ]

    def facts(self) -> dict[str, Any]:
        """Return the quantiles' levels, and after how many deviations a series has left its scale."""
        return {"levels": list(LEVELS), "most": FAR}

    def trials(self, runners: Mapping[str, Runner]) -> Iterator[Trial]:
        """Forecast held-out windows from all over."""
        windows = self.prepared.windows(self.part)
        for rows in ROWS:
            past = windows.batch(np.linspace(0, len(windows) - 1, rows).astype(np.int64)).past
            own = self.network(past).transpose(0, 1)
            quantiles, mean = runners["model"](past.transpose(0, 1).contiguous())
            apart = difference(quantiles, own[..., :-1].sort(-1).values), difference(mean, own[..., -1])
            yield Trial("model", rows, past.shape[0], max(apart))

    def encodings(self, script: Any, description: Mapping[str, Any]) -> Iterator[bool]:
        """Scale the end of every held-out series; what a window is measured by is the same but for rounding."""
        forecast, context = self.prepared.forecast, self.prepared.layout.context
        names = [*forecast.targets, *forecast.covariates]
        for name, values in self.prepared.series(self.part):
            if len(values) >= context:
                end = values[-context:]
                batch = self.prepared.cut([(name, end)], 0).batch(np.array([0]))
                rows = [dict(zip(names, map(repr, row), strict=True)) for row in end.tolist()]
                past, *scale = script.encode(description, name, rows)
                same = np.allclose(past[0], batch.past[:, 0].numpy(), rtol=0, atol=ROUNDING)
                own = batch.scale.mean, np.where(batch.scale.steady, 0.0, batch.scale.deviation)
                alike = [np.allclose(a[: len(b[0])], b[0]) for a, b in zip(scale, own, strict=True)]
                yield same and all(alike)

    def stand_in(self, runners: Mapping[str, Runner]) -> tuple[nn.Module, Any]:
        """Return a network that forecasts by the model, and the run's own windows."""
        return _Forecasts(runners["model"]), self.prepared


class _Forecasts(StandIn):
    """SegmentForecaster, run elsewhere."""

    def __init__(self, run: Runner) -> None:
        super().__init__()
        self._run = run

    def forward(self, past: Tensor) -> Tensor:
        quantiles, mean = self._run(past.transpose(0, 1).contiguous())
        return torch.cat([quantiles, mean.unsqueeze(-1)], -1).transpose(0, 1)
