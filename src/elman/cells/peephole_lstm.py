"""Long short-term memory whose gates see the memory."""

from dataclasses import dataclass

from torch import Tensor

from elman.cells.base import Cell
from elman.cells.weights import Weights
from elman.types import State


@dataclass(frozen=True, repr=False)
class PeepholeLSTM(Cell):
    """Long short-term memory with peepholes: the gates see the memory itself.

        i  = σ(W_ii x + b_ii + W_hi h + b_hi + p_i * c)     what is written
        f  = σ(W_if x + b_if + W_hf h + b_hf + p_f * c)     what is kept
        g  = tanh(W_ig x + b_ig + W_hg h + b_hg)            candidate
        c' = f * c + i * g
        o  = σ(W_io x + b_io + W_ho h + b_ho + p_o * c')    what is shown
        h' = W_hr (o * tanh(c'))                            W_hr only with a projection

    Source: F. A. Gers and J. Schmidhuber, "Recurrent nets that time and count" (2000).
    """

    gates = ("i", "f", "g", "o")
    called = {"i": "input gate", "f": "forget gate", "g": "candidate", "o": "output gate", "c": "cell state"}
    keep_gate = "f"
    states = ("h", "c")
    memory = "c"
    projects = True
    parameters = {"peephole_i": ("H",), "peephole_f": ("H",), "peephole_o": ("H",)}

    def step(self, projected: Tensor, state: State, weights: Weights) -> State:
        h, c = state
        i, f, g, o = (projected + weights.recurrent(h)).chunk(4, -1)
        i = (i + weights.peephole_i * c).sigmoid()
        f = (f + weights.peephole_f * c).sigmoid()
        c = f * c + i * g.tanh()
        o = (o + weights.peephole_o * c).sigmoid()
        return weights.output(o * weights.inner(c).tanh()), c
