"""Many-to-many over real values: the past is read segment by segment, then all segments of the future are said.

It knows numbers on a common scale, and nothing of what they measure.
"""

import torch
from torch import Tensor, nn

from elman.layers import Dropout, Stack
from elman.modalities.base import Head


class SegmentForecaster(nn.Module):
    """A recurrence over segments of the past, whose last state answers for every segment of the future at once.

    Every target is forecast by itself, by shared weights and a vector of its own, relative to its last value; what is
    asked of the last state is told by a vector for each future segment. A segment of w time steps is one step of the
    recurrence, so that w times fewer steps are needed, and no error is fed back.
    Source: Lin et al. 2023, SegRNN: segment recurrent neural network for long-term time series forecasting.

    Args:
        recurrence: one Elman layer from H to H features, time first.
        head: (B, H) -> (B, w, Q).
        sizes: targets C, covariates K, segment w, horizon.
        dropout: probability with which a feature is zeroed before the head.
    """

    def __init__(self, recurrence: Stack, head: Head, sizes: tuple[int, int, int, int], dropout: float = 0.0) -> None:
        super().__init__()
        self.targets, covariates, self.segment, self.horizon = sizes
        features = recurrence.input_size
        self.answers = -(-self.horizon // self.segment)
        self.read = nn.Linear(self.segment * (1 + covariates), features)
        self.target = nn.Embedding(self.targets, features - features // 2)
        self.place = nn.Embedding(self.answers, features // 2)
        self.recurrence, self.dropout, self.head = recurrence, Dropout(dropout), head

    def forward(self, past: Tensor) -> Tensor:
        """Return the forecasts.

        Args:
            past: (T, B, C + K), the targets first; T is a multiple of the segment.

        Returns:
            (horizon, B, C, Q).
        """
        last = past[-1:]
        _, state = self.recurrence.scan(self.read(self._segments(past - last)).relu())
        rows = past.shape[1] * self.targets
        asked = self._questions(past.shape[1])
        repeated = tuple(tensor.repeat(1, self.answers, 1) for tensor in state)
        said, _ = self.recurrence.scan(asked.reshape(1, self.answers * rows, -1), repeated)
        scores = self.head(self.dropout(said[0]))
        scores = scores.reshape(self.answers, past.shape[1], self.targets, self.segment, -1).movedim(3, 1).flatten(0, 1)
        forecast: Tensor = scores[: self.horizon] + last[..., : self.targets].unsqueeze(-1)
        return forecast

    def _segments(self, past: Tensor) -> Tensor:
        """(S, B * C, w * (1 + K)): for every target its own segment and those of the covariates."""
        cut = past.reshape(-1, self.segment, *past.shape[1:]).permute(0, 2, 3, 1)
        own, beside = cut[:, :, : self.targets], cut[:, :, self.targets :].flatten(2)
        beside = beside.unsqueeze(2).expand(-1, -1, self.targets, -1)
        return torch.cat([own, beside], -1).flatten(1, 2)

    def _questions(self, batch: int) -> Tensor:
        """(answers, B, C, H): which future segment of which target is asked for."""
        target = self.target.weight[None, None].expand(self.answers, batch, -1, -1)
        place = self.place.weight[:, None, None].expand(-1, batch, self.targets, -1)
        return torch.cat([target, place], -1)
