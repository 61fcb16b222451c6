"""Which events come next, naively: as often as ever, what came just before, or logistic regression on the last steps.

Each says the probability of every event by itself. They know numbers of events, not what these stand for.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

Hot = npt.NDArray[np.bool_]
"""Time steps of one row, (T, V): which events occurred."""
Shares = npt.NDArray[np.float64]

ITERATIONS = 150
"""Of L-BFGS."""
PULL = 2.0
"""What an event's own counts are worth less than the counts of all events, in time steps."""


class Baseline(Protocol):
    """What says the probability of events; made of the rows of the training part."""

    def probabilities(self, row: Hot) -> Shares:
        """Return P of every event at every step of a row, (T, V), given the steps before it."""


class Frequency:
    """Every event as often as in training, (n + 1/2) / (N + 1)."""

    def __init__(self, rows: Iterable[Hot]) -> None:
        occurred, steps = _sums((row, np.ones((len(row), 1))) for row in rows)
        self.share: Shares = (occurred + 0.5) / (steps + 1)

    def probabilities(self, row: Hot) -> Shares:
        """Return the shares."""
        return np.broadcast_to(self.share, row.shape)


class Repetition:
    """Every event by whether it occurred in the step before: how often it stays, and how often it comes anew.

    Both are counted for each event; how often it stays is pulled to what holds for all events by `PULL` steps' worth.
    Before the first step nothing has occurred.
    """

    def __init__(self, rows: Iterable[Hot]) -> None:
        stayed, came, was, was_not = _sums(_changes(row) for row in rows)
        usual = (stayed.sum() + 0.5) / (was.sum() + 1)
        self.stays: Shares = (stayed + PULL * usual) / (was + PULL)
        self.comes: Shares = (came + 0.5) / (was_not + 1)

    def probabilities(self, row: Hot) -> Shares:
        """Return the probabilities."""
        return np.where(_delayed(row, 1), self.stays, self.comes)


class Regression:
    """Logistic regression of every event on all events of the two steps before, fitted together by L-BFGS.

    The penalty is half the sum of the squared weights, as scikit-learn's default is.
    """

    def __init__(self, rows: Sequence[Hot]) -> None:
        inputs = torch.from_numpy(np.concatenate([_lags(row) for row in rows]))
        targets = torch.from_numpy(np.concatenate(rows)).float()
        self.weights = torch.zeros(inputs.shape[1], targets.shape[1])
        self.weights[-1] = torch.logit(torch.from_numpy(Frequency(rows).share).float())
        self.weights.requires_grad_()
        optimizer = torch.optim.LBFGS([self.weights], max_iter=ITERATIONS, line_search_fn="strong_wolfe")

        def loss() -> torch.Tensor:
            optimizer.zero_grad()
            found = F.binary_cross_entropy_with_logits(inputs @ self.weights, targets, reduction="sum")
            found = found + 0.5 * (self.weights[:-1] ** 2).sum()
            torch.autograd.backward(found)
            return found

        with torch.enable_grad():
            optimizer.step(loss)
        self.weights = self.weights.detach()

    def probabilities(self, row: Hot) -> Shares:
        """Return the probabilities."""
        scores = torch.from_numpy(_lags(row)) @ self.weights
        found: Shares = torch.sigmoid(scores.double()).numpy()
        return found


def _sums(parts: Iterable[tuple[npt.NDArray[Any], ...]]) -> list[Shares]:
    """The sums over all rows and their steps of several arrays (T, ...)."""
    found: list[Any] = []
    for arrays in parts:
        sums = [array.sum(0, dtype=np.float64) for array in arrays]
        found = [one + other for one, other in zip(found, sums, strict=True)] if found else sums
    return found


def _changes(row: Hot) -> tuple[Hot, Hot, Hot, Hot]:
    """Which events stayed, came anew, had occurred in the step before, and had not, (T, V) each."""
    before = _delayed(row, 1)
    return row & before, row & ~before, before, ~before


def _delayed(row: Hot, steps: int) -> Hot:
    """The row, so many steps later; nothing before."""
    return np.concatenate([np.zeros((min(steps, len(row)), row.shape[1]), bool), row[:-steps]])


def _lags(row: Hot) -> npt.NDArray[np.float32]:
    """What regression sees of the steps before each: their events, whether there are such steps, and a one."""
    there = np.arange(len(row))[:, None] >= [1, 2]
    parts = [_delayed(row, 1), _delayed(row, 2), ~there, np.ones((len(row), 1), bool)]
    return np.concatenate(parts, 1).astype(np.float32)
