"""What a backend is: one way to compute a call.

It does not know which backends there are, nor which is preferred.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor

from elman.cells import Cell, Weights
from elman.engine.call import Call
from elman.types import State


class Backend(ABC):
    """One way to compute a call; stateless."""

    name: ClassVar[str]
    """As ELMAN_BACKEND and `elman.backend` take it."""

    means: ClassVar[str]
    """What it is, in a few words, for `explain`."""

    @abstractmethod
    def knows(self, cell: Cell) -> bool:
        """Whether it can compute this cell at all."""

    @abstractmethod
    def refuses(self, call: Call) -> str | None:
        """Why it cannot run this call, as a clause without sizes; None if it can."""

    @abstractmethod
    def run(self, call: Call) -> tuple[Tensor, State]:
        """The output of the last layer and the final state.

        Returns:
            output: (T, B, D*P), or (real steps, D*P) of a packed call, directions side by side.
            state: tensors (D*L, B, H).

        """

    @abstractmethod
    def step(self, cell: Cell, weights: Weights, input: Tensor, state: State) -> State:
        """One time step of one layer: input (B, I), state tensors (B, H)."""
