"""The independently recurrent network: every unit sees its own past only."""

from dataclasses import dataclass

from torch import Tensor

from elman.cells.base import Cell
from elman.cells.weights import Weights
from elman.types import State


@dataclass(frozen=True, repr=False)
class IndRNN(Cell):
    """The independently recurrent network: one recurrent weight for each unit.

        h' = relu(W_ih x + b_ih + u * h)

    Source: S. Li et al., "Independently recurrent neural network" (2018).
    """

    gates = ("h",)
    called = {"h": "hidden state"}
    recurrent_gates = ()
    states = ("h",)
    parameters = {"u": ("H",)}

    @property
    def name(self) -> str:
        return "indrnn"

    def step(self, projected: Tensor, state: State, weights: Weights) -> State:
        return ((projected + weights.u * state[0]).relu(),)

    def initialize(self, weights: Weights) -> None:
        """From a unit that forgets at once to one that keeps everything."""
        weights.u.uniform_(0, 1)
