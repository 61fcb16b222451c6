"""The running average of the weights, which is better than the last weights while the rate is high."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

Tensors = tuple[Tensor, ...] | list[Tensor]

EVERY, FIRST = 4, 64
"""After the FIRST updates the average moves at every EVERYth: a pass over all weights at each costs as much as half of
Adam where a vocabulary is large, and an average over hundreds of updates does not tell the difference."""


def averaged(module: nn.Module, decay: float) -> AveragedModel:
    """Return a copy of the module that `update_parameters`, called where it is `due`, moves towards it.

    By 1 - decay of the way for each update. Over the first updates the decay is smaller, (1 + n) / (10 + n) after n of
    them, so that the initial weights are soon forgotten. Source: Polyak & Juditsky 1992, in its exponential form.
    """
    return AveragedModel(module, multi_avg_fn=_towards(decay))


def due(update: int) -> bool:
    """Whether the average moves after an update, the first one being 1."""
    return update <= FIRST or update % EVERY == 0


def _towards(decay: float) -> Callable[[Tensors, Tensors, Any], None]:
    @torch.no_grad()
    def move(kept: Tensors, current: Tensors, moves: Any) -> None:
        later = int(moves) - FIRST
        updates, since = (int(moves), 1) if later < 0 else (FIRST + later * EVERY, EVERY)
        left = min(decay, (1 + updates) / (10 + updates)) ** since
        torch._foreach_lerp_(kept, current, 1 - left)

    return move
