"""The gated recurrent unit.

Its other variant, in which the reset gate is applied before the recurrent matmul (Keras with reset_after=False), is
`gru_reset_before.py`: weights are not interchangeable between the two.
"""

from dataclasses import dataclass

from torch import Tensor

from elman.cells.base import Cell
from elman.cells.weights import Weights
from elman.types import State


@dataclass(frozen=True, repr=False)
class GRU(Cell):
    """The gated recurrent unit, the cell of torch.nn.GRU.

        r  = σ(W_ir x + b_ir + W_hr h + b_hr)             how much of the past the candidate sees
        z  = σ(W_iz x + b_iz + W_hz h + b_hz)             how much of the past is kept
        n  = tanh(W_in x + b_in + r * (W_hn h + b_hn))    candidate
        h' = (1 - z) * n + z * h

    Source: K. Cho et al., "Learning phrase representations using RNN encoder-decoder" (2014), in the variant of cuDNN
    and torch that resets after the recurrent matmul.
    """

    gates = ("r", "z", "n")
    called = {"r": "reset gate", "z": "update gate", "n": "candidate"}
    keep_gate = "z"
    states = ("h",)

    def step(self, projected: Tensor, state: State, weights: Weights) -> State:
        (h,) = state
        x_r, x_z, x_n = projected.chunk(3, -1)
        h_r, h_z, h_n = weights.recurrent(h).chunk(3, -1)
        r = (x_r + h_r).sigmoid()
        z = (x_z + h_z).sigmoid()
        n = (x_n + r * h_n).tanh()
        return (weights.output(n + z * (h - n)),)
