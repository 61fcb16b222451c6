"""Zoneout: units that keep their value for a step."""

from dataclasses import dataclass

from torch import Tensor

from elman.cells.base import Mask
from elman.cells.modified.base import Modified
from elman.cells.weights import Weights
from elman.types import State


@dataclass(frozen=True, repr=False)
class Zoneout(Modified):
    """Each unit of a state keeps its old value with the probability z, anew at every step.

        s' = s + update * (s' - s)     update is 0 with probability z, else 1; in evaluation it is 1 - z

    Attributes:
        rates: z of each state, in order.
        training: whether units are chosen at random.

    Source: D. Krueger et al., "Zoneout: regularizing RNNs by randomly preserving hidden activations" (2017).
    """

    rates: tuple[float, ...]
    training: bool

    @property
    def masks(self) -> tuple[Mask, ...]:
        if not self.training:
            return self.inner.masks
        own = [
            Mask(f"update_{name}", k, rate, scaled=False, each_step=True)
            for k, (name, rate) in enumerate(zip(self.states, self.rates, strict=True))
            if rate > 0
        ]
        return (*self.inner.masks, *own)

    def step(self, projected: Tensor, state: State, weights: Weights) -> State:
        after = self.inner.step(projected, state, weights)
        return tuple(
            new if rate == 0 else old + self._update(name, rate, weights) * (new - old)
            for name, rate, old, new in zip(self.states, self.rates, state, after, strict=True)
        )

    def _update(self, name: str, rate: float, weights: Weights) -> Tensor | float:
        return getattr(weights, f"update_{name}") if self.training else 1 - rate
