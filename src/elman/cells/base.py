"""What a recurrent cell is: one time step as pure mathematics, and the tensors that it is given.

It knows nothing of sequences, batches of unequal length, directions, stacked layers, devices or how fast it is run.
"""

import inspect
from abc import ABC, abstractmethod
from textwrap import dedent
from typing import ClassVar, NamedTuple

import torch.nn.functional as F
from torch import Tensor

from elman.types import State


class Weights(NamedTuple):
    """The tensors of one layer in one direction, in the order in which torch.nn keeps them.

    With G gates, hidden size H and a projection to P features (P = H without one):
        ih        (G*H, I)   input to gates
        hh        (G*H, P)   recurrent output to gates
        bias_ih   (G*H,)     or None
        bias_hh   (G*H,)     or None
        hr        (P, H)     hidden state to recurrent output, or None for no projection
    """

    ih: Tensor
    hh: Tensor
    bias_ih: Tensor | None = None
    bias_hh: Tensor | None = None
    hr: Tensor | None = None

    def project(self, inputs: Tensor) -> Tensor:
        """The input's share of the gates, (..., I) -> (..., G*H): all time steps in one matmul."""
        return F.linear(inputs, self.ih, self.bias_ih)

    def recurrent(self, value: Tensor) -> Tensor:
        """The previous output's share of the gates, (B, P) -> (B, G*H)."""
        return F.linear(value, self.hh, self.bias_hh)

    def output(self, hidden: Tensor) -> Tensor:
        """What the cell shows outside, (B, H) -> (B, P): the projected hidden state, or the hidden state itself."""
        return hidden if self.hr is None else F.linear(hidden, self.hr)

    def flat(self) -> list[Tensor]:
        """The tensors that there are, as the list that torch's kernels take."""
        return [tensor for tensor in self if tensor is not None]


class Cell(ABC):
    """One time step of a recurrent network.

    To define a cell, name its gates and its states, write its equations as an indented block of its docstring, and
    give `step`. Cells hold neither weights nor state, so one object serves every layer. `step` may use pointwise
    operations, `chunk`, and the two maps of `Weights` (`recurrent`, `output`): no loop over time, no branch on values.
    That is what lets one engine run any cell.
    """

    gates: ClassVar[tuple[str, ...]]
    """The blocks of H rows of the input projection, in order."""

    states: ClassVar[tuple[str, ...]]
    """The names of the tensors of the state, in order; the first is what the next layer sees."""

    @property
    def name(self) -> str:
        """The name in the registry, on the command line and in messages."""
        return type(self).__name__.lower()

    @property
    def equations(self) -> str:
        """One time step, for people: σ is the logistic function, * the product of elements."""
        lines = (inspect.getdoc(type(self)) or "").splitlines()
        return dedent("\n".join(line for line in lines if line.startswith("    ")))

    @abstractmethod
    def step(self, projected: Tensor, state: State, weights: Weights) -> State:
        """The state after one time step.

        Args:
            projected: the input's share of the gates, `weights.project(x)`, (B, G*H).
            state: the previous state, tensors (B, P) for the first and (B, H) for the others.
            weights: of this layer and direction.

        """

    def state_sizes(self, hidden: int, projection: int = 0) -> tuple[int, ...]:
        """The number of features of each tensor of the state; `projection` 0 means that there is none."""
        return (projection or hidden, *(hidden for _ in self.states[1:]))

    def parameter_count(self, input: int, hidden: int, *, bias: bool = True, projection: int = 0) -> int:
        """The number of weights of one layer in one direction, with torch's two biases."""
        rows = len(self.gates) * hidden
        matrices = rows * (input + (projection or hidden)) + projection * hidden
        return matrices + (2 * rows if bias else 0)

    def __repr__(self) -> str:
        return f"<cell {self.name}>"
