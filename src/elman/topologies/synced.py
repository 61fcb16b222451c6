"""Synced many-to-many: one output for every input, at the same time step.

It knows neither what it reads nor what it predicts; a causal one runs forever, since its whole past is its state.
"""

from torch import Tensor, nn

from elman.layers import LockedDropout, Stack
from elman.modalities.base import Head
from elman.types import State


class SyncedManyToMany(nn.Module):
    """scores_t = head(dropout(recurrence(reader(x_t), state_{t-1}))).

    Args:
        reader: encoded values (T, B, ...) -> features (T, B, I).
        recurrence: any Elman layer, time first.
        head: features (T, B, H) -> scores.
        dropout: probability with which a feature is zeroed before the head, at all time steps alike, while training.
    """

    def __init__(self, reader: nn.Module, recurrence: Stack, head: Head, dropout: float = 0.0) -> None:
        super().__init__()
        self.reader = reader
        self.recurrence = recurrence
        self.dropout = LockedDropout(dropout)
        self.head = head

    def forward(self, inputs: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Return the scores of every time step, and the state after the last; the arguments are those of `read`."""
        features, state = self.read(inputs, state)
        return self.head(features), state

    def read(self, inputs: Tensor, state: State | None = None, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """Return what the head reads at every time step, (T, B, H), and the state after the last.

        Args:
            inputs: (T, B, ...), what the reader takes.
            state: what an earlier call returned, or None to begin.
            lengths: (B,), time steps of each row; None where all have as many.
        """
        features, state = self.recurrence.scan(self.reader(inputs), state, lengths)
        return self.dropout(features), state
