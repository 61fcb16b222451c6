"""Train a network on one problem until it is solved or the budget is spent, with a clock beside it.

It does not know cells.
"""

import math
import statistics
import time
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from elman.experiments.lags.problem import Problem
from elman.experiments.problems import Examples

BATCH, CLIP = 32, 1.0
EVERY, HELD_OUT = 25, 256
"""After how many updates the score is measured, and on how many rows."""

End = Literal["solved", "updates", "seconds", "not finite"]


@dataclass(frozen=True)
class Budget:
    """What may be spent: updates, and seconds in all, which are looked at whenever the score is measured."""

    updates: int
    seconds: float = math.inf


@dataclass(frozen=True)
class Trained:
    """What training came to.

    Attributes:
        score: on held-out rows, at the end; None where outputs were not finite.
        updates: until the end.
        end: why it ended.
        ms_per_update: the median.
        seconds: in all, the measuring of scores included.
    """

    score: float | None
    updates: int
    end: End
    ms_per_update: float
    seconds: float


def train(network: nn.Module, problem: Problem, length: int, budget: Budget, *, rate: float, seed: int) -> Trained:
    """Train on fresh rows with Adam, clipped; the seed is that of the rows."""
    begun = time.perf_counter()
    draws = torch.Generator().manual_seed(seed)
    held_out = problem.draw(length, HELD_OUT, torch.Generator().manual_seed(seed + 1_000_000))
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    durations: list[float] = []
    while True:
        some = range(min(EVERY, budget.updates - len(durations)))
        durations += [_update(network, problem, length, optimizer, draws) for _ in some]
        score = scored(network, problem, held_out)
        seconds = time.perf_counter() - begun
        if end := _end(problem, score, len(durations), seconds, budget):
            return Trained(score, len(durations), end, 1000 * statistics.median(durations), seconds)


def _update(
    network: nn.Module, problem: Problem, length: int, optimizer: torch.optim.Optimizer, draws: torch.Generator
) -> float:
    """One update; the seconds it took, the drawing of its rows not among them."""
    examples = problem.draw(length, BATCH, draws)
    begun = time.perf_counter()
    optimizer.zero_grad()
    torch.autograd.backward(problem.loss(network(examples.inputs), examples.targets))
    nn.utils.clip_grad_norm_(network.parameters(), CLIP)
    optimizer.step()
    return time.perf_counter() - begun


@torch.no_grad()
def scored(network: nn.Module, problem: Problem, examples: Examples) -> float | None:
    """The score, or None if an output is not finite; a batch at a time, which is no more than training holds."""
    pieces: list[Tensor] = [network(rows) for rows in torch.split(examples.inputs, BATCH, dim=1)]
    outputs = torch.cat(pieces)
    return problem.score(outputs, examples.targets).item() if outputs.isfinite().all() else None


def _end(problem: Problem, score: float | None, updates: int, seconds: float, budget: Budget) -> End | None:
    if score is None:
        return "not finite"
    if problem.solved(score):
        return "solved"
    if updates >= budget.updates:
        return "updates"
    return "seconds" if seconds >= budget.seconds else None
