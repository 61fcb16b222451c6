"""Problems whose answer lies far back, made anew for every batch: what a memory is measured on.

Source: S. Hochreiter and J. Schmidhuber, "Long short-term memory" (1997), sections 5.2 and 5.4.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Examples:
    """A batch: inputs (T, B, I), and targets, (B, O) numbers or (B,) symbols."""

    inputs: Tensor
    targets: Tensor


def adding(steps: int, batch: int, generator: torch.Generator) -> Examples:
    """Add the two numbers that are marked, one in each half of the sequence, of `steps` numbers from 0 to 1.

    Inputs (T, B, 2): the number and the mark. A network that always says 1 has a mean squared error of 1/6.
    """
    values = torch.rand(steps, batch, generator=generator)
    rows = torch.arange(batch)
    first = torch.randint(0, steps // 2, (batch,), generator=generator)
    second = torch.randint(steps // 2, steps, (batch,), generator=generator)
    marks = torch.zeros(steps, batch)
    marks[first, rows] = marks[second, rows] = 1.0
    return Examples(torch.stack([values, marks], -1), (values[first, rows] + values[second, rows])[:, None])


CHANCE = 1 / 6
"""The mean squared error of the adding problem without any memory: the variance of the sum of two numbers."""


SYMBOLS = 4
"""How many symbols there are to remember in delayed recall; who guesses is right once in as many."""


def recall(lag: int, batch: int, generator: torch.Generator) -> Examples:
    """Say at the end which symbol was shown `lag` steps before; since then, others were shown that do not matter.

    Inputs (lag + 1, B, 2 * SYMBOLS) are one-hot, targets (B,) int64. Who guesses has a cross-entropy of ln SYMBOLS.
    """
    shown = torch.randint(0, SYMBOLS, (lag + 1, batch), generator=generator)
    targets = shown[0].clone()
    shown[1:] += SYMBOLS
    return Examples(torch.nn.functional.one_hot(shown, 2 * SYMBOLS).float(), targets)
