"""Dropout of what goes around: of the value that the recurrent map multiplies."""

from dataclasses import dataclass
from typing import cast

from torch import Tensor

from elman.cells.base import Mask
from elman.cells.modified.base import Modified, View
from elman.cells.weights import Weights
from elman.types import State


@dataclass(frozen=True, repr=False)
class RecurrentDropout(Modified):
    """Variational dropout: the same features are dropped at every step, and only on their way into the gates.

        W_h h  becomes  W_h (mask * h)     mask is 0 with probability p, else 1 / (1 - p), one for each sequence

    Source: Y. Gal and Z. Ghahramani, "A theoretically grounded application of dropout in recurrent neural networks"
    (2016); Keras's recurrent_dropout.
    """

    rate: float

    @property
    def masks(self) -> tuple[Mask, ...]:
        return (*self.inner.masks, Mask("dropped", 0, self.rate, scaled=True, each_step=False))

    def step(self, projected: Tensor, state: State, weights: Weights) -> State:
        return self.inner.step(projected, state, cast("Weights", _Dropped(weights)))


class _Dropped(View):
    """Weights whose recurrent map sees only what the mask leaves."""

    def recurrent(self, value: Tensor, *gates: str) -> Tensor:
        result: Tensor = self.weights.recurrent(value * self.weights.dropped, *gates)
        return result

    def multiply(self, value: Tensor, *gates: str) -> Tensor:
        result: Tensor = self.weights.multiply(value * self.weights.dropped, *gates)
        return result
