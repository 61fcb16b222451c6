"""Attention: what of a memory a query asks for.

It does not know what made the memory, nor what is done with what is found.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

SCORES = ("dot", "additive")
"""How a query is compared with a memory's steps."""


class Memory(NamedTuple):
    """The states of a sequence that was read, prepared for many queries.

    Attributes:
        keys: (B, T, A), what queries are compared with.
        values: (B, T, M), what they find.
        dead: (B, 1, T) bool, which steps are padding.
    """

    keys: Tensor
    values: Tensor
    dead: Tensor

    def rows(self, chosen: Tensor) -> "Memory":
        """The memory of some rows of the batch."""
        return Memory(*(tensor.index_select(0, chosen) for tensor in self))


class Attention(nn.Module):
    """context = sum_t a_t m_t, where a = softmax_t score(q, m_t).

    "dot": score(q, m) = q . (U m) (Luong et al. 2015, there called general); "additive": v . tanh(W q + U m) (Bahdanau
    et al. 2015), which costs A numbers for every pair of a query and a step.

    Args:
        queries: features of a query, Q.
        memory: features of a step of the memory, M.
        score: "dot" or "additive".
    """

    def __init__(self, queries: int, memory: int, score: str = "dot") -> None:
        super().__init__()
        self.score = score
        self.key = nn.Linear(memory, queries, bias=False)
        if score == "additive":
            self.query = nn.Linear(queries, queries)
            self.weight = nn.Linear(queries, 1, bias=False)

    def remember(self, features: Tensor, lengths: Tensor) -> Memory:
        """Prepare the memory.

        Args:
            features: (T, B, M).
            lengths: (B,), how many steps of each row are real; at least one.
        """
        values = features.transpose(0, 1).contiguous()
        steps = torch.arange(features.shape[0], device=features.device)  # len() would be a number in an export
        dead = steps >= lengths.to(features.device).unsqueeze(1)
        return Memory(self.key(values), values, dead.unsqueeze(1))

    def forward(self, queries: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """Return the contexts (S, B, M) and the weights (B, S, T) for queries (S, B, Q), S of them for each row."""
        asked = queries.transpose(0, 1)
        if self.score == "additive":
            compared = torch.tanh(self.query(asked).unsqueeze(2) + memory.keys.unsqueeze(1))
            scores = self.weight(compared).squeeze(-1)
        else:
            scores = asked @ memory.keys.transpose(1, 2)
        weights = scores.masked_fill(memory.dead, -torch.inf).softmax(-1)
        return (weights @ memory.values).transpose(0, 1), weights
