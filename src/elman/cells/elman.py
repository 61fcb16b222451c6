"""The simple recurrent cell: one hidden state, no gates that hold it.

It does not know the layer that is built from it, nor that torch.nn calls that layer RNN.
"""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from elman.cells.base import Cell
from elman.cells.weights import Weights
from elman.errors import UsageError
from elman.types import State


@dataclass(frozen=True, repr=False)
class Elman(Cell):
    """The simple recurrent network, the cell of torch.nn.RNN.

        h' = tanh(W_ih x + b_ih + W_hh h + b_hh)

    With `nonlinearity="relu"` relu stands in the place of tanh.

    Source: J. L. Elman, "Finding structure in time", Cognitive Science 14 (1990). With relu: Q. V. Le, N. Jaitly and
    G. E. Hinton, "A simple way to initialize recurrent networks of rectified linear units" (2015).
    """

    nonlinearity: Literal["tanh", "relu"] = "tanh"
    gates = ("h",)
    called = {"h": "hidden state"}
    states = ("h",)

    def __post_init__(self) -> None:
        if self.nonlinearity not in ("tanh", "relu"):
            raise UsageError(f"unknown nonlinearity {self.nonlinearity!r}; choose one of tanh, relu")

    @property
    def name(self) -> str:
        return "rnn" if self.nonlinearity == "tanh" else "rnn-relu"

    @property
    def equations(self) -> str:
        return super().equations.replace("tanh", self.nonlinearity)

    def step(self, projected: Tensor, state: State, weights: Weights) -> State:
        total = projected + weights.recurrent(state[0])
        return (weights.output(total.tanh() if self.nonlinearity == "tanh" else total.relu()),)
