"""Long short-term memory.

It does not know peepholes or coupled gates: those are cells of their own.
"""

from dataclasses import dataclass

from torch import Tensor

from elman.cells.base import Cell
from elman.cells.weights import Weights
from elman.types import State


@dataclass(frozen=True, repr=False)
class LSTM(Cell):
    """Long short-term memory, the cell of torch.nn.LSTM.

        i  = σ(W_ii x + b_ii + W_hi h + b_hi)         what is written
        f  = σ(W_if x + b_if + W_hf h + b_hf)         what is kept
        g  = tanh(W_ig x + b_ig + W_hg h + b_hg)      candidate
        o  = σ(W_io x + b_io + W_ho h + b_ho)         what is shown
        c' = f * c + i * g
        h' = W_hr (o * tanh(c'))                      W_hr only with a projection

    Sources: S. Hochreiter and J. Schmidhuber, "Long short-term memory", Neural Computation 9 (1997); the forget gate:
    F. A. Gers, J. Schmidhuber and F. Cummins, "Learning to forget", Neural Computation 12 (2000); the projection:
    H. Sak, A. Senior and F. Beaufays, "Long short-term memory recurrent neural network architectures" (2014).
    """

    gates = ("i", "f", "g", "o")
    called = {"i": "input gate", "f": "forget gate", "g": "candidate", "o": "output gate", "c": "cell state"}
    keep_gate = "f"
    states = ("h", "c")
    memory = "c"
    projects = True

    def step(self, projected: Tensor, state: State, weights: Weights) -> State:
        h, c = state
        i, f, g, o = (projected + weights.recurrent(h)).chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return weights.output(o.sigmoid() * weights.inner(c).tanh()), c
