"""Long short-term memory that writes exactly where it forgets."""

from dataclasses import dataclass

from torch import Tensor

from elman.cells.base import Cell
from elman.cells.weights import Weights
from elman.types import State


@dataclass(frozen=True, repr=False)
class CoupledLSTM(Cell):
    """Long short-term memory with coupled gates: what is written takes the place of what is forgotten.

        f  = σ(W_if x + b_if + W_hf h + b_hf)         what is kept
        g  = tanh(W_ig x + b_ig + W_hg h + b_hg)      candidate
        o  = σ(W_io x + b_io + W_ho h + b_ho)         what is shown
        c' = f * c + (1 - f) * g
        h' = W_hr (o * tanh(c'))                      W_hr only with a projection

    Source: K. Greff et al., "LSTM: a search space odyssey" (2015), variant CIFG.
    """

    gates = ("f", "g", "o")
    called = {"f": "forget gate", "g": "candidate", "o": "output gate", "c": "cell state"}
    keep_gate = "f"
    states = ("h", "c")
    memory = "c"
    projects = True

    def step(self, projected: Tensor, state: State, weights: Weights) -> State:
        h, c = state
        f, g, o = (projected + weights.recurrent(h)).chunk(3, -1)
        g = g.tanh()
        c = g + f.sigmoid() * (c - g)
        return weights.output(o.sigmoid() * weights.inner(c).tanh()), c
