"""Many-to-one: a whole sequence is read, then answered once.

It knows neither what is read nor what is answered.
"""

import torch
from torch import Tensor, nn

from elman.layers import Dropout
from elman.modalities.base import Head

SUMMARIES = 3


class ManyToOne(nn.Module):
    """scores = head(dropout([last states; max over time; attention over time])).

    The maximum keeps what one step says loudly, the attention, sum_t softmax_t(v . h_t) h_t, what a few steps say
    together (Collobert et al. 2011; Lin et al. 2017, with one hop), and the last states of both directions what order
    says. Padding takes part in none of them.

    Args:
        head: reads `SUMMARIES` times as many features as the recurrence gives.
        features: of the recurrence, H, all directions together.
        dropout: probability with which a summary's feature is zeroed while training.
    """

    def __init__(self, head: Head, features: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.attention = nn.Linear(features, 1, bias=False)
        self.dropout = Dropout(dropout)
        self.head = head

    def forward(self, features: Tensor, last: Tensor, live: Tensor) -> Tensor:
        """Return the scores (B, V).

        Args:
            features: (T, B, H).
            last: (B, H), the states that each direction ends with.
            live: (T, B) bool, which steps are no padding; at least one in each row.
        """
        dead = ~live.unsqueeze(-1)
        weights = self.attention(features).masked_fill(dead, -torch.inf).softmax(0)
        attended = (weights * features).sum(0)
        highest = features.masked_fill(dead, -torch.inf).amax(0)
        scores: Tensor = self.head(self.dropout(torch.cat([last, highest, attended], -1)))
        return scores
