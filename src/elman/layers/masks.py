"""Random masks: zeros with a given probability, ones else.

It does not know what they are multiplied with.
"""

import math

import torch
from torch import Tensor

from elman.cells import Mask
from elman.engine.watching import transformed

LEVELS = 1 << 16


def keep(shape: tuple[int, ...], rate: float, like: Tensor, *, scaled: bool) -> Tensor:
    """Zeros with the probability `rate`, rounded to 1/65536, else ones, or 1 / (1 - rate) if scaled.

    It draws 16 random bits for a number from torch's generator: 1.0 ms for 819,200 numbers on two cores, where
    torch's bernoulli_ takes 5.6 and dropout 9.
    """
    if torch.compiler.is_compiling() or transformed():
        kept = (torch.rand(shape, dtype=like.dtype, device=like.device) >= rate).to(like.dtype)
        return kept / (1 - rate) if scaled else kept
    count = math.prod(shape)
    words = torch.empty(-(-count // 4), dtype=torch.int64, device=like.device).random_(-(1 << 63), None)
    bits = words.view(torch.int16)[:count]
    kept = torch.ge(
        bits, round(rate * LEVELS) - LEVELS // 2, out=torch.empty(count, dtype=like.dtype, device=like.device)
    )
    return (kept.mul_(1 / (1 - rate)) if scaled else kept).view(shape)


def draw(mask: Mask, steps: int, batch: int, features: int, like: Tensor) -> Tensor:
    """A mask of a cell for one call: (B, F), or (T, B, F)."""
    shape = (steps, batch, features) if mask.each_step else (batch, features)
    return keep(shape, mask.rate, like, scaled=mask.scaled)
