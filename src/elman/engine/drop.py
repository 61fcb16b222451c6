"""Random zeros: dropout of single elements, and masks that are multiplied with.

The runtime makes them of one number of torch's generator as fast as memory is written: 0.03 to 0.04 ms for 819,200
numbers on two cores of an AMD EPYC, where torch's dropout takes 5.8. Where it is not there, or something watches that
could not see what it does, torch draws them; and dropout is torch's own, draw for draw, where its backend is forced.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from elman.cells import Mask
from elman.engine import watching
from elman.engine.choice import forced
from elman.engine.native.gradient import no_view
from elman.engine.native.library import library, memory, numbers
from elman.engine.native.operator import traced
from elman.engine.packing import Packing

LEVELS = 1 << 16


def keep(shape: tuple[int, ...], rate: float, like: Tensor, *, scaled: bool) -> Tensor:
    """A mask: zeros with the probability `rate`, rounded to 1/65536, else ones, or 1 / (1 - rate) if scaled."""
    if not _native(like):
        kept = (torch.rand(shape, dtype=like.dtype, device=like.device) >= rate).to(like.dtype)
        return kept / (1 - rate) if scaled else kept
    return _mask(shape, like, _seed(), rate, 1 / (1 - rate) if scaled else 1.0)


def draw(mask: Mask, steps: int, batch: int, features: int, like: Tensor) -> Tensor:
    """A cell's mask for one call, (B, F), or (T, B, F)."""
    shape = (steps, batch, features) if mask.each_step else (batch, features)
    return keep(shape, mask.rate, like, scaled=mask.scaled)


def dropout(value: Tensor, rate: float, packing: Callable[[], Packing | None] | None = None) -> Tensor:
    """Zeros with the probability `rate` in place of elements, and the others scaled up by 1 / (1 - rate).

    Args:
        value: padded, with zeros beyond the real steps, or packed.
        rate: 0 to 1.
        packing: which steps of a padded value are real, if that is asked for: torch draws for these alone.

    Source: N. Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting" (2014).
    """
    if 0 < rate < 1 and forced() != "torch" and _native(value):
        return _Dropout.apply(value, _seed(), rate)  # type: ignore[no-untyped-call, no-any-return]
    real = packing() if packing is not None and rate else None
    return F.dropout(value, rate) if real is None else real.unpack(F.dropout(real.pack(value), rate))


class _Dropout(torch.autograd.Function):
    """Nothing is kept for the way back: the same seed makes the same zeros."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, seed: int, rate: float) -> Tensor:
        ctx.drawn = seed, rate
        value = value.contiguous()
        result = memory(tuple(value.shape), value)
        _drop(value.data_ptr(), result, seed, rate, 1 / (1 - rate))
        return no_view(result)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        seed, rate = ctx.drawn
        if watching.in_a_batch(gradient) or not _native(gradient):
            return gradient * _mask(tuple(gradient.shape), gradient, seed, rate, 1 / (1 - rate)), None, None
        return _Dropout.apply(gradient, seed, rate), None, None  # type: ignore[no-untyped-call]


def _native(like: Tensor) -> bool:
    """Whether the runtime can, and may."""
    if traced(like) or watching.forward_mode() or watching.recorded():
        return False
    return like.is_cpu and like.dtype in (torch.float32, torch.float64) and library() is not None


def _seed() -> int:
    return int(torch.empty((), dtype=torch.int64, device="cpu").random_())


def _mask(shape: tuple[int, ...], like: Tensor, seed: int, rate: float, scale: float) -> Tensor:
    result = memory(shape, like)
    _drop(0, result, seed, rate, scale)
    return result


def _drop(source: int, result: Tensor, seed: int, rate: float, scale: float) -> None:
    given = (source, result.data_ptr(), math.prod(result.shape), seed, round(rate * LEVELS), scale)
    numbers(result.dtype).drop(*given, torch.get_num_threads())
