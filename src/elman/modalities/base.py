"""The contract of a modality: one kind of value that goes into a network or comes out of it.

A modality fits itself on the training part of the data, turns raw values into padded tensors, offers a reader on the
way in and, where it can be an output, a head on the way out. It does not know the topology between them.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

from torch import Tensor, nn


class Head(nn.Module, ABC):
    """Features -> scores, and what scores are worth against targets."""

    @abstractmethod
    def forward(self, features: Tensor) -> Tensor:
        """Return the scores for features (T, B, H)."""

    @abstractmethod
    def loss(self, scores: Tensor, targets: Tensor, scored: Tensor | None = None) -> Tensor:
        """Return the mean loss over the steps where `scored` (T, B) is true, or over all of them."""


class Modality(ABC):
    """One kind of value. Instances are fitted; `to_dict` and `from_dict` carry them to disk and back."""

    name: ClassVar[str]

    @abstractmethod
    def reader(self, features: int) -> nn.Module:
        """Return a new module from encoded values to `features` numbers per time step."""

    @abstractmethod
    def head(self, features: int) -> Head:
        """Return a new head that reads `features` numbers per time step."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Describe the fitted modality for JSON."""

    @classmethod
    @abstractmethod
    def from_dict(cls, value: dict[str, Any]) -> Self:
        """Make the modality that `to_dict` described."""
