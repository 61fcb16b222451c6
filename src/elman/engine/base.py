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

Ready = Callable[[Sequence[State]], Callable[[Tensor], Tensor]]
"""Layers ready to take steps: from a state to a function that takes them in it. Several states share the weights.

The state is given by layer, tensors (B, ·), contiguous, and overwritten by every step. The function goes from an input
(B, I), contiguous, to the output of the last layer (B, P), which its next call overwrites.
"""


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
        self, cell: Cell, weights: Sequence[Weights], batch: int, *, storage: torch.dtype | None = None
    ) -> Ready:
        """Make a stack of layers ready to take steps without gradients.

        Args:
            cell: the time step.
            weights: by layer; as they are now, whatever becomes of them.
            batch: B, how many rows every step has.
            storage: what matrices are rounded to, as `rounded` says; computed is in the weights' own type.

        """
        del batch
        given = [rounded(cell, each, storage) for each in weights]
        kept = [cell.bundle(None if t is None else t.detach().clone() for t in each) for each in given]

        def over(state: Sequence[State]) -> Callable[[Tensor], Tensor]:
            output = torch.empty_like(state[-1][0])

            def take(input: Tensor) -> Tensor:
                value = input
                for each, before in zip(kept, state, strict=True):
                    after = self.step(cell, each, value, before)
                    for tensor, new in zip(before, after, strict=True):
                        tensor.copy_(new)
                    value = after[0]
                return output.copy_(value)

            return torch.no_grad()(take)

        return over
