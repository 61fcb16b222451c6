"""Heads that say which set of events comes next: each event by itself, or one after the other.

They know numbers of events, not what these stand for. A set is a row of numbers in rising order, filled up with
`size`, which for a head that writes is the end of a set.
"""

from abc import abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from elman import layers
from elman.layers import Dropout
from elman.modalities.base import Head

Choose = Callable[[Tensor], int]
"""Draws one of several symbols by their scores (V,)."""

CELLS = 1 << 22
"""Scores of events that are computed at a time: with thousands of events they would take more memory than all else."""


class EventHead(Head):
    """Features (..., H) -> ln p / (1 - p) of every event, (..., size): abstract.

    These marginal log-odds say what is expected; how probable a set is as a whole, `log_probabilities` says.

    Args:
        features: H.
        log_odds: (size,), of every event by itself, which learning begins with; the last is the unknown event.
    """

    def __init__(self, features: int, log_odds: Tensor) -> None:
        super().__init__()
        self.size = len(log_odds)
        self.marginal = nn.Linear(features, self.size)
        with torch.no_grad():
            self.marginal.bias.copy_(log_odds)

    def forward(self, features: Tensor) -> Tensor:
        """Return the log-odds in float32."""
        found: Tensor = self.marginal(features)
        return found.float()

    def loss(self, scores: Tensor, targets: Tensor, scored: Tensor | None = None) -> Tensor:
        """Return -ln P of sets (..., K) of independent events, in nats per set."""
        found = independent(scores, targets)
        return -(found if scored is None else found[scored]).mean()

    @abstractmethod
    def log_probabilities(self, features: Tensor, sets: Tensor) -> Tensor:
        """Return ln P of each set (N, K), features (N, H): (N,)."""

    @abstractmethod
    def losses(self, features: Tensor, sets: Tensor) -> Tensor:
        """Return -ln P of each set, (N,), with the gradient of all that is to be learnt."""

    @abstractmethod
    def draw(self, features: Tensor, choose: Choose) -> list[int]:
        """Draw a set without the unknown event, by features (1, H)."""


class IndependentEvents(EventHead):
    """P(x) = product over i of p_i^x_i (1 - p_i)^(1 - x_i), p = sigmoid(W h + b)."""

    def log_probabilities(self, features: Tensor, sets: Tensor) -> Tensor:
        """Return ln P, (N,)."""
        return independent(self(features), sets)

    def losses(self, features: Tensor, sets: Tensor) -> Tensor:
        """Return -ln P, (N,)."""
        return -self.log_probabilities(features, sets)

    def draw(self, features: Tensor, choose: Choose) -> list[int]:
        """Choose for every event whether it occurs."""
        odds = self(features)[0, :-1]
        return [number for number, each in enumerate(torch.stack([-odds, odds], 1) / 2) if choose(each)]


class OrderedEvents(EventHead):
    """P(x) = product over k of P(e_k | e_1 ... e_{k-1}, h), e_1 < e_2 < ... the events of x, the last e the end.

    A small recurrent network s writes the events one after the other: s_0 = tanh(A h), s_k = GRU(e_{k-1}, s_{k-1}),
    P(e_k) = softmax(U s_k + C h) over what may still come. As every set has one rising order, this is its exact
    probability. The conditionals are those of an RNN-NADE (Boulanger-Lewandowski et al. 2012; Larochelle & Murray
    2011), taken over the events that occur instead of over all there are, so that a set of K of V events takes K + 1
    steps and not V. The marginals are learnt beside it.

    Args:
        features: H.
        log_odds: as of every head.
        hidden: units of the small network, and of an event's vector.
        dropout: probability with which one of its features is zeroed in training.
    """

    def __init__(self, features: int, log_odds: Tensor, hidden: int, dropout: float = 0.0) -> None:
        super().__init__(features, log_odds)
        self.embedding = nn.Embedding(self.size + 1, hidden)
        self.start, self.context = nn.Linear(features, hidden), nn.Linear(features, self.size + 1)
        self.recurrence, self.scores = layers.build("gru", hidden, hidden), nn.Linear(hidden, self.size + 1, bias=False)
        self.dropout = Dropout(dropout)
        nn.init.normal_(self.embedding.weight, std=hidden**-0.5)
        with torch.no_grad():
            self.context.bias[:-1] = log_odds.clamp_max(2)
            self.context.bias[-1] = 0

    def log_probabilities(self, features: Tensor, sets: Tensor) -> Tensor:
        """Return ln P, (N,)."""
        count, end = len(sets), self.size
        targets = torch.cat([sets, sets.new_full((count, 1), end)], 1).t()
        before = torch.cat([sets.new_full((1, count), end), targets[:-1]])
        written = (sets < end).sum(1)
        live = torch.arange(len(targets), device=sets.device).unsqueeze(1) <= written
        states, _ = self.recurrence.scan(self.embedding(before), self._begin(features), written.cpu() + 1)
        rows = torch.arange(count, device=sets.device).expand_as(live)[live]
        context, told = self.context(features), self.dropout(states[live])
        each = torch.split(torch.stack([rows, before[live], targets[live]]), max(1, CELLS // self.size), 1)
        parts = zip(torch.split(told, max(1, CELLS // self.size)), each, strict=True)
        chosen = torch.cat([self._chosen(context[row], part, last, target) for part, (row, last, target) in parts])
        return chosen.new_zeros(count).index_add(0, rows, chosen)

    def losses(self, features: Tensor, sets: Tensor) -> Tensor:
        """Return -ln P, (N,); the marginals' loss adds its gradient and nothing to the value."""
        loss = -self.log_probabilities(features, sets)
        if not torch.is_grad_enabled():
            return loss
        beside = -independent(self(features), sets)
        return loss + beside - beside.detach()

    def draw(self, features: Tensor, choose: Choose) -> list[int]:
        """Choose one event after the other, until it is the end."""
        state, context, found, last = self._begin(features), self.context(features), list[int](), self.size
        while True:
            before = torch.full((1, 1), last, device=features.device)
            states, state = self.recurrence.scan(self.embedding(before), state)
            scores = self._allowed((self.scores(states[0]) + context).float(), before[0])
            scores[0, self.size - 1] = -torch.inf
            last = choose(scores[0])
            if last == self.size:
                return found
            found.append(last)

    def _chosen(self, context: Tensor, told: Tensor, before: Tensor, targets: Tensor) -> Tensor:
        """Return ln P of events (M,), each behind the event before it."""
        found = self._allowed((self.scores(told) + context).float(), before).log_softmax(-1)
        return found.gather(-1, targets.unsqueeze(-1)).squeeze(-1)

    def _begin(self, features: Tensor) -> tuple[Tensor, ...]:
        return (torch.tanh(self.start(features)).unsqueeze(0),)

    def _allowed(self, scores: Tensor, before: Tensor) -> Tensor:
        """Scores (N, size + 1) with those of events that do not follow the one before (N,) taken away."""
        numbers = torch.arange(self.size + 1, device=scores.device)
        last = torch.where(before == self.size, -1, before).unsqueeze(1)
        return scores.masked_fill(numbers <= last, -torch.inf)


def independent(log_odds: Tensor, sets: Tensor) -> Tensor:
    """ln P of sets (..., K) of independent events by their log-odds (..., size): (...)."""
    filled = torch.cat([log_odds, log_odds.new_zeros(*log_odds.shape[:-1], 1)], -1)
    return filled.gather(-1, sets).sum(-1) - F.softplus(log_odds).sum(-1)
