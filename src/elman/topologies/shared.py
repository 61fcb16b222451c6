"""One recurrence that is read off in one or several ways: once for a whole row, or at every time step.

It knows neither what is read nor what is answered.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from elman.layers import LockedDropout, Stack
from elman.modalities.base import Head
from elman.topologies.many_to_one import ManyToOne
from elman.types import State


class Synced(nn.Module):
    """Synced many-to-many: scores_t = head(h_t), from states that both directions may have made."""

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.head = head

    def forward(self, features: Tensor, last: Tensor, live: Tensor) -> Tensor:
        """Return the scores (T, B, V) for features (T, B, H)."""
        del last, live
        scores: Tensor = self.head(features)
        return scores


class SharedEncoder(nn.Module):
    """scores of each output = wiring(dropout(recurrence(dropout(reader(x))))).

    Args:
        reader: encoded values -> features (T, B, I).
        recurrence: any Elman layer, time first; bidirectional where the whole row is there before it is answered.
        outputs: the wirings by name, `ManyToOne` or `Synced`.
        dropout: probability with which a feature is zeroed, at all time steps alike, before and after the recurrence.
        skip: whether a `Synced` head reads, beside the state of its time step, what the recurrence read there.
    """

    def __init__(
        self,
        reader: nn.Module,
        recurrence: Stack,
        outputs: Mapping[str, ManyToOne | Synced],
        dropout: tuple[float, float] = (0.0, 0.0),
        *,
        skip: bool = False,
    ) -> None:
        super().__init__()
        self.reader = reader
        self.recurrence = recurrence
        self.skip = skip
        self.names = list(outputs)
        self.outputs = nn.ModuleList(outputs.values())
        self.before, self.after = LockedDropout(dropout[0]), LockedDropout(dropout[1])

    def forward(self, inputs: Any, lengths: Tensor) -> dict[str, Tensor]:
        """Return the scores of every output by name.

        Args:
            inputs: what the reader takes, padded, on any device.
            lengths: (B,), time steps of each row.
        """
        return self.scores(self.before(self.reader(inputs.to(next(self.parameters()).device))), lengths)

    def scores(self, read: Tensor, lengths: Tensor) -> dict[str, Tensor]:
        """Return the same for what the reader has made of them, (T, B, I)."""
        features, state = self.recurrence.scan(read, None, lengths)
        live = torch.arange(read.shape[0], device=read.device).unsqueeze(1) < lengths.to(read.device)
        features, last = self.after(features), self._last(state)
        each = torch.cat([features, self.after(read)], -1) if self.skip else features
        return {
            name: output(each if isinstance(output, Synced) else features, last, live)
            for name, output in zip(self.names, self.outputs, strict=True)
        }

    def _last(self, state: State) -> Tensor:
        """The last layer's hidden states of both directions, (B, H)."""
        directions = 2 if self.recurrence.bidirectional else 1
        return torch.cat(list(state[0][-directions:]), -1)
