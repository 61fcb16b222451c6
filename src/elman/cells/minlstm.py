"""The minimal LSTM, whose gates do not look at the past."""

from dataclasses import dataclass

from torch import Tensor

from elman.cells.base import Cell
from elman.cells.weights import Weights
from elman.types import State


@dataclass(frozen=True, repr=False)
class MinLSTM(Cell):
    """Minimal long short-term memory: linear in its state, what is kept and what is written add up to one.

        f  = σ(W_f x + b_f)
        i  = σ(W_i x + b_i)
        h' = f / (f + i) * h + i / (f + i) * (W_n x + b_n)

    Source: L. Feng et al., "Were RNNs all we needed?" (2024), section 3.2.
    """

    gates = ("f", "i", "n")
    called = {"f": "forget gate", "i": "input gate", "n": "candidate"}
    keep_gate = "f"
    recurrent_gates = ()
    states = ("h",)

    @property
    def name(self) -> str:
        return "minlstm"

    def step(self, projected: Tensor, state: State, weights: Weights) -> State:  # noqa: ARG002 - it has none in its step
        (h,) = state
        f, i, n = projected.chunk(3, -1)
        f, i = f.sigmoid(), i.sigmoid()
        return (h + i / (f + i) * (n - h),)
