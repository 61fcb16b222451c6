"""The random masks of a cell, for one call."""

from torch import Tensor

from elman.cells import Mask
from elman.engine.drop import keep


def draw(mask: Mask, steps: int, batch: int, features: int, like: Tensor) -> Tensor:
    """Draw (B, F), or (T, B, F)."""
    shape = (steps, batch, features) if mask.each_step else (batch, features)
    return keep(shape, mask.rate, like, scaled=mask.scaled)
