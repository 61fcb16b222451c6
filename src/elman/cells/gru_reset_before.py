"""The gated recurrent unit of the paper, which resets before the recurrent matmul.

torch's and cuDNN's variant, which resets after it, is `gru.py`.
"""

from dataclasses import dataclass

from torch import Tensor

from elman.cells.base import Cell
from elman.cells.weights import Weights
from elman.types import State


@dataclass(frozen=True, repr=False)
class GRUResetBefore(Cell):
    """The gated recurrent unit as it was published; Keras's with reset_after=False.

        r  = σ(W_ir x + b_ir + W_hr h + b_hr)              how much of the past the candidate sees
        z  = σ(W_iz x + b_iz + W_hz h + b_hz)              how much of the past is kept
        n  = tanh(W_in x + b_in + W_hn (r * h) + b_hn)     candidate
        h' = (1 - z) * n + z * h

    Source: K. Cho et al., "Learning phrase representations using RNN encoder-decoder" (2014).
    """

    gates = ("r", "z", "n")
    called = {"r": "reset gate", "z": "update gate", "n": "candidate"}
    keep_gate = "z"
    states = ("h",)

    @property
    def name(self) -> str:
        return "gru-reset-before"

    def step(self, projected: Tensor, state: State, weights: Weights) -> State:
        (h,) = state
        x_r, x_z, x_n = projected.chunk(3, -1)
        h_r, h_z = weights.recurrent(h, "r", "z").chunk(2, -1)
        r = (x_r + h_r).sigmoid()
        z = (x_z + h_z).sigmoid()
        n = (x_n + weights.recurrent(r * h, "n")).tanh()
        return (n + z * (h - n),)
