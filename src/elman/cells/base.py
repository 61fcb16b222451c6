"""What a recurrent cell is: one time step as pure mathematics, and the parameters that it has.

It knows nothing of sequences, batches of unequal length, directions, stacked layers, devices or how fast it is run.
"""

import inspect
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from textwrap import dedent
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from elman.cells.weights import Weights, weights_type
from elman.errors import UsageError
from elman.types import State


class Mask(NamedTuple):
    """Random numbers, zeros mostly or ones, that a step reads in training.

    Attributes:
        name: the field of `Weights` where the step finds it, (B, ·).
        state: the number of the state whose size it has.
        rate: the probability of a zero.
        scaled: whether what is not zero is 1 / (1 - rate) instead of 1.
        each_step: whether it is drawn anew for every time step, or once for the whole sequence.

    """

    name: str
    state: int
    rate: float
    scaled: bool
    each_step: bool


class Cell(ABC):
    """One time step of a recurrent network.

    To define a cell, name its gates and its states, write its equations as an indented block of its docstring, and
    give `step`. Cells hold neither weights nor state, so one object serves every layer. `step` may use pointwise
    operations, `chunk`, norms over the features, and the maps of `Weights` (`recurrent`, `output`): no loop over time,
    no branch on values. That is what lets one engine run any cell.
    """

    @property
    @abstractmethod
    def gates(self) -> tuple[str, ...]:
        """The blocks of H rows of the input projection, in order."""

    @property
    @abstractmethod
    def states(self) -> tuple[str, ...]:
        """The names of the tensors of the state, in order; the first is what the next layer sees."""

    @property
    def recurrent_gates(self) -> tuple[str, ...]:
        """The blocks of H rows of the recurrent map: all gates, unless the cell says otherwise; () for no such map."""
        return self.gates

    @property
    def called(self) -> Mapping[str, str]:
        """What gates and states are called in words, where the cell says so: {"f": "forget gate"}."""
        return {}

    @property
    def parameters(self) -> Mapping[str, tuple[str | int, ...]]:
        """Further parameters by name, with their shapes in the sizes H, P and I, or in numbers: {"v": ("H",)}."""
        return {}

    @property
    def numbers(self) -> tuple[str, ...]:
        """The parameters of a few rows of I columns, such as {"B": (16, "I")}, that the input is multiplied with, too.

        What they make of it, single numbers of each row, is behind the gates in `projected`.
        """
        return ()

    @property
    def fixed(self) -> tuple[str, ...]:
        """The weights that are never learnt, by field: what `initialize` sets, or random numbers, they stay."""
        return ()

    @property
    def masks(self) -> tuple[Mask, ...]:
        """What the layer draws at random for each call."""
        return ()

    @property
    def memory(self) -> str | None:
        """The state that the output sees through `Weights.inner`, if there is one."""
        return None

    @property
    def keep_gate(self) -> str | None:
        """The gate that keeps the past when its bias is large, if there is one."""
        return None

    @property
    def replace_gate(self) -> str | None:
        """The gate that replaces the past when its bias is large, where that is how the cell says it."""
        return None

    @property
    def projects(self) -> bool:
        """Whether the output may be projected to fewer features, by `Weights.output`."""
        return False

    @property
    def name(self) -> str:
        """The name in the registry, on the command line and in messages: the class's, in lower case with hyphens."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", type(self).__name__).lower()

    @property
    def equations(self) -> str:
        """One time step, for people: σ is the logistic function, * the product of elements."""
        lines = (inspect.getdoc(type(self)) or "").splitlines()
        return dedent("\n".join(line for line in lines if line.startswith("    ")))

    def project(self, inputs: Tensor, weights: Weights) -> Tensor:
        """The input's share of the gates, and the `numbers`, (..., I) -> (..., G*H + K)."""
        return self.with_numbers(weights.project(inputs), inputs, weights)

    def with_numbers(self, gates: Tensor, inputs: Tensor, weights: Weights) -> Tensor:
        """The `numbers` behind the gates."""
        found = [F.linear(inputs, getattr(weights, name)) for name in self.numbers]
        return torch.cat([gates, *found], -1) if found else gates

    @abstractmethod
    def step(self, projected: Tensor, state: State, weights: Weights) -> State:
        """The state after one time step.

        Args:
            projected: the input's share of the gates, and the `numbers` if there are any, (B, G*H + K).
            state: the previous state, tensors (B, P) for the first and (B, H) for the others.
            weights: of this layer and direction.

        """

    def derive(self, weights: Weights) -> Weights:
        """What the step is to be given in place of the parameters: functions of them, computed once for each call."""
        return weights

    def derived(self, weights: Weights) -> Weights:
        """What `derive` gives, in the precision of the weights also where autocast asks for less."""
        if type(self).derive is Cell.derive:
            return weights
        kind = weights.ih.device.type
        if not (torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)):
            return self.derive(weights)
        with torch.autocast(kind, enabled=False):
            return self.derive(weights)

    def initialize(self, weights: Weights) -> None:  # noqa: B027 - most cells begin as torch does
        """Set initial values in place, without gradients, where torch's uniform ±1/√H does not suit the cell."""

    def state_sizes(self, hidden: int, projection: int = 0) -> tuple[int, ...]:
        """The number of features of each tensor of the state; `projection` 0 means that there is none."""
        return (projection or hidden, *(hidden for _ in self.states[1:]))

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of all tensors that the step is given, in order."""
        return (*Weights._fields, *self.parameters, *(mask.name for mask in self.masks))

    def bundle(self, tensors: Iterable[Tensor | None]) -> Weights:
        """Tensors in the order of `fields`, as the step takes them."""
        return self.bundle_type()._make(tensors)

    def bundle_type(self) -> type[Weights]:
        """The type of what `bundle` returns."""
        return weights_type(tuple(self.recurrent_gates), (*self.parameters, *[mask.name for mask in self.masks]))

    def shapes(
        self, input: int, hidden: int, *, bias: bool = True, projection: int = 0
    ) -> dict[str, tuple[int, ...] | None]:
        """The shape of each parameter of one layer in one direction, by field, in order; None if there is none."""
        rows, recurrent, output = len(self.gates) * hidden, len(self.recurrent_gates) * hidden, projection or hidden
        sizes = {"H": hidden, "P": output, "I": input}
        return {
            "ih": (rows, input),
            "hh": (recurrent, output) if recurrent else None,
            "bias_ih": (rows,) if bias else None,
            "bias_hh": (recurrent,) if recurrent and bias else None,
            "hr": (projection, hidden) if projection else None,
            **{name: tuple(_size(letters, sizes) for letters in shape) for name, shape in self.parameters.items()},
        }

    def parameter_count(self, input: int, hidden: int, *, bias: bool = True, projection: int = 0) -> int:
        """The number of weights of one layer in one direction, with torch's two biases."""
        shapes = self.shapes(input, hidden, bias=bias, projection=projection)
        return sum(math.prod(shape) for shape in shapes.values() if shape is not None)

    def __repr__(self) -> str:
        return f"<cell {self.name}>"

    def __eq__(self, other: object) -> bool:
        """Cells without attributes are the same if they are of the same class; dataclasses compare their fields."""
        return self is other or (type(self) is type(other) and not vars(self) and not vars(other))

    def __hash__(self) -> int:
        return hash(type(self))


def _size(letters: str | int, sizes: Mapping[str, int]) -> int:
    """A size such as H or 4H in numbers."""
    if isinstance(letters, int) and letters > 0:
        return letters
    if not isinstance(letters, str) or not re.fullmatch(r"\d*[HPI]", letters):
        raise UsageError(
            f"a cell's parameters have shapes of H, P, I and numbers from 1 on, such as ('3H', 'P') or ('H', 8), "
            f"got {letters!r}"
        )
    return int(letters[:-1] or 1) * sizes[letters[-1]]
