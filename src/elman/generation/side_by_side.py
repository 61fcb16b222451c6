"""Many streams read side by side by one network: what each has read is a value that the caller keeps.

It knows the recurrence and how to go on from states, nothing of what is read, nor of who the streams belong to.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from elman.generation import kept
from elman.generation.kept import Kept

Piece = TypeVar("Piece")
Found = TypeVar("Found")


class SideBySide(ABC, Generic[Piece, Found]):
    """Reads on from any state, or from many at once: a step of many rows takes little longer than one of one row.

    Whatever stands beside a stream, it is read alike, to the rounding of float32. One of these serves one thread.

    Attributes:
        fresh: the state of what has read nothing yet.
        names: of the tensors of the recurrent state.

    """

    fresh: Kept

    def __init__(self, network: Any) -> None:
        """Take a network in eval mode, its recurrence of one direction."""
        self._network = network
        self.names: tuple[str, ...] = network.recurrence.cell.states
        self._device = next(network.parameters()).device

    def check(self, state: Kept) -> None:
        """Raise UsageError where a state is not one of this network."""
        kept.check(state, self.fresh)

    @abstractmethod
    def read(self, feeds: Sequence[tuple[Kept, Piece]]) -> list[Found]:
        """Read on from each state the piece beside it; each of what comes of it has the `state` after it."""

    def _scan(
        self, features: Tensor, states: Sequence[Kept], counts: Sequence[int]
    ) -> tuple[Tensor, list[dict[str, Tensor]]]:
        """Run the recurrence on from states (L, 1, ·) over features (T, B, I), of each row over so many time steps.

        Returns:
            Its outputs without padding, one row behind the other, (sum of counts, H); and the recurrent state of each
            row, (L, 1, ·) by name, copied.

        """
        before = tuple(torch.cat([state[name] for state in states], 1).to(self._device) for name in self.names)
        output, after = self._network.recurrence.scan(features, before, torch.tensor(counts))
        line = torch.cat([output[:count, row] for row, count in enumerate(counts)])
        rows = zip(*(tensor.cpu().split(1, 1) for tensor in after), strict=True)
        return line, [{name: tensor.clone() for name, tensor in zip(self.names, row, strict=True)} for row in rows]
