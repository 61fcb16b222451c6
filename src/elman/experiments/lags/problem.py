"""The two problems of the table: how they are drawn, learnt and scored, and when one counts as solved.

It does not know networks.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from elman.experiments.problems import CHANCE, SYMBOLS, Examples, adding, recall


@dataclass(frozen=True)
class Problem:
    """A problem of any length.

    Attributes:
        name: on the command line.
        title: for people.
        inputs: I.
        outputs: O.
        draw: examples of a length: (length, batch, generator).
        loss: what is minimised, of outputs (B, O) and targets.
        score: what is told, of the same.
        measure: what the score is called.
        chance: the score of who remembers nothing.
        goal: the score from which on it is solved.
    """

    name: str
    title: str
    inputs: int
    outputs: int
    draw: Callable[[int, int, torch.Generator], Examples]
    loss: Callable[[Tensor, Tensor], Tensor]
    score: Callable[[Tensor, Tensor], Tensor]
    measure: str
    chance: float
    goal: float

    @property
    def rising(self) -> bool:
        """Whether more is better."""
        return self.goal > self.chance

    def solved(self, score: float) -> bool:
        """Whether that is good enough."""
        return score >= self.goal if self.rising else score <= self.goal


def accuracy(outputs: Tensor, targets: Tensor) -> Tensor:
    """The share of rows whose greatest output is the target's."""
    return (outputs.argmax(-1) == targets).float().mean()


PROBLEMS = {
    problem.name: problem
    for problem in (
        Problem(
            name="adding",
            title="the adding problem",
            inputs=2,
            outputs=1,
            draw=adding,
            loss=F.mse_loss,
            score=F.mse_loss,
            measure="mean squared error",
            chance=CHANCE,
            goal=0.02,
        ),
        Problem(
            name="recall",
            title="delayed recall",
            inputs=2 * SYMBOLS,
            outputs=SYMBOLS,
            draw=recall,
            loss=F.cross_entropy,
            score=accuracy,
            measure="accuracy",
            chance=1 / SYMBOLS,
            goal=0.95,
        ),
    )
}
