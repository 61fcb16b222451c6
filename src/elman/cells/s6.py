"""The selective state space of Mamba."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from elman.cells.base import Cell
from elman.cells.weights import Weights
from elman.types import State


@dataclass(frozen=True, repr=False)
class S6(Cell):
    """The selective state space of Mamba: 16 states for each feature, which the input writes and reads.

        d  = softplus(W_d x + b_d)                      the size of the step
        u  = W_u x + b_u                                what is written
        s' = exp(-exp(a) * d) * s + d * u * (B x)       s and a: 16 for each feature; B x: 16, for all features
        h' = (C x) · s' + D * u                         a sum over the 16 of each feature

    Source: A. Gu and T. Dao, "Mamba: linear-time sequence modeling with selective state spaces" (2023), section 3.
    """

    count: int = 16

    gates = ("d", "u")
    called = {"d": "size of the step", "u": "input"}
    recurrent_gates = ()
    numbers = ("B", "C")

    @property
    def states(self) -> tuple[str, ...]:
        return ("h", *(f"s{n}" for n in range(1, self.count + 1)))

    @property
    def parameters(self) -> dict[str, tuple[str | int, ...]]:
        return {"a": (f"{self.count}H",), "B": (self.count, "I"), "C": (self.count, "I"), "D": ("H",)}

    def derive(self, weights: Weights) -> Weights:
        """-exp(a) in place of a."""
        return weights.replaced(a=-weights.a.exp())

    def step(self, projected: Tensor, state: State, weights: Weights) -> State:
        hidden = state[0].shape[-1]
        d, u, *numbers = torch.split(projected, [hidden, hidden, *[1] * (2 * self.count)], -1)
        return selected(F.softplus(d), u, weights.a, weights.D, numbers, state[1:])

    def initialize(self, weights: Weights) -> None:
        """Mamba's: a_n = ln n, steps between 0.001 and 0.1, D one."""
        hidden = len(weights.D)
        for n, a_n in enumerate(weights.a.chunk(self.count), 1):
            a_n.fill_(math.log(n))
        weights.D.fill_(1)
        if weights.bias_ih is not None:
            size = torch.empty(hidden).uniform_(math.log(0.001), math.log(0.1)).exp()
            weights.bias_ih[:hidden] = size.expm1().log()


def selected(d: Tensor, u: Tensor, a: Tensor, skip: Tensor, numbers: Sequence[Tensor], states: State) -> State:
    """What is shown, and the N states, after a step of the size d, (B, H).

    Args:
        d: the size of the step.
        u: what is written.
        a: of each state, -exp(a) in the equations, one behind the other, (N*H,).
        skip: D in the equations, (H,).
        numbers: (B, 1) each, the N by which u is written to the states, then those by which they are read.
        states: before the step.

    """
    write, read, shown, after = d * u, numbers[len(states) :], skip * u, []
    for n, (a_n, s_n) in enumerate(zip(a.chunk(len(states)), states, strict=True)):
        after.append(torch.exp(d * a_n) * s_n + write * numbers[n])
        shown = shown + after[n] * read[n]
    return shown, *after
