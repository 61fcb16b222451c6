"""A cell around another one, and a view of its weights that changes what one of their maps does.

It does not know which changes there are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from elman.cells.base import Cell, Mask
from elman.cells.weights import Weights


@dataclass(frozen=True, repr=False)
class Modified(Cell):
    """All that the inner cell has; its step is for those who derive from this."""

    inner: Cell

    @property
    def gates(self) -> tuple[str, ...]:
        return self.inner.gates

    @property
    def recurrent_gates(self) -> tuple[str, ...]:
        return self.inner.recurrent_gates

    @property
    def states(self) -> tuple[str, ...]:
        return self.inner.states

    @property
    def called(self) -> Mapping[str, str]:
        return self.inner.called

    @property
    def parameters(self) -> Mapping[str, tuple[str | int, ...]]:
        return self.inner.parameters

    @property
    def numbers(self) -> tuple[str, ...]:
        return self.inner.numbers

    @property
    def fixed(self) -> tuple[str, ...]:
        return self.inner.fixed

    @property
    def masks(self) -> tuple[Mask, ...]:
        return self.inner.masks

    @property
    def memory(self) -> str | None:
        return self.inner.memory

    @property
    def keep_gate(self) -> str | None:
        return self.inner.keep_gate

    @property
    def replace_gate(self) -> str | None:
        return self.inner.replace_gate

    @property
    def projects(self) -> bool:
        return self.inner.projects

    @property
    def name(self) -> str:
        return f"{self.inner.name} with {super().name}"

    def project(self, inputs: Tensor, weights: Weights) -> Tensor:
        return self.inner.project(inputs, weights)

    def derive(self, weights: Weights) -> Weights:
        return self.inner.derive(weights)

    def initialize(self, weights: Weights) -> None:
        self.inner.initialize(weights)

    def state_sizes(self, hidden: int, projection: int = 0) -> tuple[int, ...]:
        return self.inner.state_sizes(hidden, projection)


class View:
    """Weights whose maps a modified cell changes; all else is as it was."""

    def __init__(self, weights: Any) -> None:
        self.weights = weights

    def __getattr__(self, name: str) -> Any:
        return getattr(self.weights, name)
