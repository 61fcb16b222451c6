"""What a backend is: one way to compute a call.

It does not know which backends there are, nor which is preferred.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from elman.cells import Cell, Weights
from elman.engine.call import Call
from elman.engine.storage import rounded
from elman.types import State


class Backend(ABC):
    """One way to compute a call; stateless."""

    name: ClassVar[str]
    """As ELMAN_BACKEND and `elman.backend` take it."""

    means: ClassVar[str]
    """What it is, in a few words, for `explain`."""

    slow: ClassVar[bool] = False
    """Whether a user should be told when it is taken."""

    @abstractmethod
    def refuses_step(self, cell: Cell, weights: Weights, tensors: Sequence[Tensor]) -> str | None:
        """Why it cannot take a step of this cell on tensors like these, as a clause without sizes; None if it can.

        Args:
            cell: the time step.
            weights: of one layer and direction.
            tensors: input, state and all weights that take part.

        """

    def refuses(self, call: Call) -> str | None:
        """Why it cannot run this call, as a clause without sizes; None if it can."""
        return self.refuses_step(call.cell, call.weights[0], [call.input, *call.state, *call.flat_weights])

    @abstractmethod
    def run(self, call: Call) -> tuple[Tensor, State]:
        """The output and the final state.

        Returns:
            output: (T, B, D*P), or (real steps, D*P) of a packed call, directions side by side.
            state: tensors (D, B, ·).

        """

    @abstractmethod
    def step(self, cell: Cell, weights: Weights, input: Tensor, state: State) -> State:
        """One time step of one layer: input (B, I), state tensors (B, H)."""

    def prepare(
        self, cell: Cell, weights: Sequence[Weights], state: Sequence[State], *, storage: torch.dtype | None = None
    ) -> Callable[[Tensor], Tensor]:
        """A function that takes steps of a stack of layers without gradients, one with each call.

        Args:
            cell: the time step.
            weights: by layer; as they are now, whatever becomes of them.
            state: by layer, tensors (B, ·), contiguous, which every step overwrites.
            storage: what matrices are rounded to, as `rounded` says; computed is in the weights' own type.

        Returns:
            From an input (B, I), contiguous, to the output of the last layer (B, P), which the next call overwrites.

        """
        output = torch.empty_like(state[-1][0])
        given = [rounded(cell, each, storage) for each in weights]
        kept = [cell.bundle(None if t is None else t.detach().clone() for t in each) for each in given]

        def take(input: Tensor) -> Tensor:
            value = input
            for each, before in zip(kept, state, strict=True):
                after = self.step(cell, each, value, before)
                for tensor, new in zip(before, after, strict=True):
                    tensor.copy_(new)
                value = after[0]
            return output.copy_(value)

        return torch.no_grad()(take)
