"""The minimal gated unit: one gate."""

from dataclasses import dataclass

from torch import Tensor

from elman.cells.base import Cell
from elman.cells.weights import Weights
from elman.types import State


@dataclass(frozen=True, repr=False)
class MGU(Cell):
    """The minimal gated unit: one gate, both for what the candidate sees and for what is replaced.

        f  = σ(W_if x + b_if + W_hf h + b_hf)
        n  = tanh(W_in x + b_in + W_hn (f * h) + b_hn)     candidate
        h' = (1 - f) * h + f * n

    Source: G.-B. Zhou et al., "Minimal gated unit for recurrent neural networks" (2016).
    """

    gates = ("f", "n")
    called = {"f": "forget gate", "n": "candidate"}
    states = ("h",)
    replace_gate = "f"

    def step(self, projected: Tensor, state: State, weights: Weights) -> State:
        (h,) = state
        x_f, x_n = projected.chunk(2, -1)
        f = (x_f + weights.recurrent(h, "f")).sigmoid()
        n = (x_n + weights.recurrent(f * h, "n")).tanh()
        return (h + f * (n - h),)
