"""What a batch costs, in a form that shares of the batch can be added up to."""

from dataclasses import dataclass

import torch
from torch import Tensor

from elman.types import State


@dataclass(frozen=True)
class Cost:
    """A loss that is the sum of a few means, each over targets of its own.

    Attributes:
        means: scalars.
        counts: over how many targets each of them is taken.
        seen: rows or targets that were learnt from, as speed is told in.
        carry: the state that goes on to the next batch, or None.
    """

    means: tuple[Tensor, ...]
    counts: tuple[int, ...]
    seen: int
    carry: State | None = None

    @property
    def loss(self) -> Tensor:
        """The sum of the means."""
        return torch.stack(self.means).sum()

    def share(self, counts: list[float]) -> Tensor:
        """Return what this share of a batch adds to the loss of the whole, which has so many targets of each kind."""
        own = [mean * (n / all) for mean, n, all in zip(self.means, self.counts, counts, strict=True) if n]
        return torch.stack(own).sum() if own else self.means[0].new_zeros((), requires_grad=True)
