"""The running average of the weights, which is better than the last weights while the rate is high."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def averaged(module: nn.Module, decay: float) -> AveragedModel:
    """Return a copy of the module that `update_parameters` moves towards it, by 1 - decay of the way each time.

    Over the first updates the decay is smaller, (1 + n) / (10 + n) after n of them, so that the initial weights are
    soon forgotten. Source: Polyak & Juditsky 1992, in its exponential form.
    """
    return AveragedModel(module, multi_avg_fn=_towards(decay))


def _towards(decay: float) -> Callable[[Sequence[Tensor], Sequence[Tensor], Any], None]:
    @torch.no_grad()
    def move(kept: Sequence[Tensor], current: Sequence[Tensor], updates: Any) -> None:
        count = int(updates)
        share = 1 - min(decay, (1 + count) / (10 + count))
        for old, new in zip(kept, current, strict=True):
            old.lerp_(new, share)

    return move
