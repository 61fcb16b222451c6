"""The real-gated linear recurrent unit of Griffin."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from elman.cells.base import Cell
from elman.cells.weights import Weights
from elman.types import State


@dataclass(frozen=True, repr=False)
class RGLRU(Cell):
    """The real-gated linear recurrent unit: how much is kept depends on the input.

        r  = σ(W_r x + b_r)                        how fast it forgets
        i  = σ(W_i x + b_i)                        what is written
        a  = exp(-8 softplus(Λ) * r)
        h' = a * h + sqrt(1 - a²) * i * (W_n x + b_n)

    Source: S. De et al., "Griffin: mixing gated linear recurrences with local attention" (2024), section 2.4.
    """

    gates = ("r", "i", "n")
    called = {"r": "recurrence gate", "i": "input gate", "n": "candidate"}
    recurrent_gates = ()
    states = ("h",)
    parameters = {"decay": ("H",)}

    @property
    def name(self) -> str:
        return "rg-lru"

    def derive(self, weights: Weights) -> Weights:
        """-8 softplus(Λ) in place of Λ."""
        return weights.replaced(decay=-8 * F.softplus(weights.decay))

    def step(self, projected: Tensor, state: State, weights: Weights) -> State:
        (h,) = state
        r, i, n = projected.chunk(3, -1)
        a = (weights.decay * r.sigmoid()).exp()
        # Nothing is divided by zero in the gradient where everything is kept.
        size = (1 - a.square()).clamp(min=1e-6).sqrt()
        return (a * h + size * i.sigmoid() * n,)

    def initialize(self, weights: Weights) -> None:
        """Such that a lies between 0.9 and 0.999 where r is one."""
        kept = torch.empty_like(weights.decay).uniform_(0.9, 0.999)
        weights.decay.copy_((-kept.log() / 8).expm1().log())
