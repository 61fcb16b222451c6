"""The contract of an export: the models that a network becomes, and how they are set beside the network itself.

One file for each topology derives from `Exporter`. It does not know the format of the files.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from elman.generation.kept import beginning
from elman.layers import Stack
from elman.modalities.base import Modality
from elman.run.run import Run

BATCH, TIME = "batch", "time"
"""Axes of any length; those of fixed length are numbers."""
INDEX = torch.int64
"""The type of numbers that stand for symbols, and of lengths."""


@dataclass(frozen=True)
class Port:
    """An input or an output of a model.

    Attributes:
        name: by which it is given or asked for.
        axes: its sizes; a word is an axis of any length.
        meaning: what it is, in words.
        type: of its numbers.
        sizes: of axes in an example, where two or three are too few.
    """

    name: str
    axes: tuple[str | int, ...]
    meaning: str
    type: torch.dtype = torch.float32
    sizes: Mapping[str, int] = field(default_factory=dict)

    def example(self) -> Tensor:
        """Return zeros, of at least two rows and steps, since an exporter takes one for a size that is fixed."""
        words = [axis for axis in dict.fromkeys((BATCH, TIME, *self.axes)) if isinstance(axis, str)]
        sizes = {axis: size for size, axis in enumerate(words, 2)} | dict(self.sizes)
        return torch.zeros([sizes[axis] if isinstance(axis, str) else axis for axis in self.axes], dtype=self.type)

    def without(self, axis: str) -> "Port":
        """The same without an axis."""
        return replace(self, axes=tuple(each for each in self.axes if each != axis))


@dataclass(frozen=True)
class Model:
    """One model of an export, as a module of tensors alone.

    Attributes:
        name: of its file.
        does: what it does, in words.
        module: in evaluation mode; takes the inputs in order, returns a tuple of the outputs. Outside of an export it
            computes what the run computes.
        inputs: batch first; a state is (layers, batch, units), as in torch.nn.
        outputs: likewise.
    """

    name: str
    does: str
    module: nn.Module
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


Runner = Callable[..., list[Tensor]]
"""A model that can be run, by whatever: its inputs in order, to its outputs in order."""


@dataclass(frozen=True)
class Trial:
    """A model beside the run's own network on real rows.

    Attributes:
        model: its name.
        rows: B.
        steps: T.
        difference: the largest of |answer - own| / max(1, |own|).
    """

    model: str
    rows: int
    steps: int
    difference: float


class Exporter(ABC):
    """How networks of one topology are exported: abstract.

    Attributes:
        topology: the class of the networks.
        inputs: the modalities that they may read; any where it is empty.
        script: the module in `scripts/` that shows how the models are run.
        part: the held-out part that models are tried on.

    Args:
        run: the run; its network stays as it is.
    """

    topology: ClassVar[type[nn.Module]]
    inputs: ClassVar[tuple[type[Modality], ...]] = ()
    script: str

    def __init__(self, run: Run) -> None:
        self.run = run
        self.network: Any = run.network
        self.prepared: Any = run.prepared
        self.part = run.prepared.shown

    @classmethod
    def takes(cls, run: Run) -> bool:
        """Whether a run's network can be exported by this class."""
        known = not cls.inputs or isinstance(getattr(run.prepared, "input", None), cls.inputs)
        return known and isinstance(run.network, cls.topology)

    @abstractmethod
    def models(self) -> list[Model]:
        """Return the models that the network becomes."""

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """Return what is needed to encode and decode beside the fitted modalities, for JSON."""

    @abstractmethod
    def trials(self, runners: Mapping[str, Runner]) -> Iterator[Trial]:
        """Set every model beside the network, on batches of several sizes."""

    @abstractmethod
    def encodings(self, script: Any, description: Mapping[str, Any]) -> Iterator[bool]:
        """Say of held-out rows whether the script, a module, encodes them exactly as the run does."""

    @abstractmethod
    def stand_in(self, runners: Mapping[str, Runner]) -> tuple[nn.Module, Any] | None:
        """Return a module that answers as the network does by running the models, so that the task can score it.

        Beside it what was prepared, as it takes that. None where what is scored is more than the models.
        """


class StandIn(nn.Module):
    """A network that is run elsewhere: abstract. It has one parameter, whose device is where it wants its input."""

    def __init__(self) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.zeros(()), requires_grad=False)


def difference(found: Tensor, own: Tensor) -> float:
    """The largest of |found - own| / max(1, |own|); what is not finite must be the same."""
    found, own = found.detach().double(), own.detach().double()
    if found.shape != own.shape:
        return float("inf")
    apart = ((found - own).abs() / own.abs().clamp_min(1)).nan_to_num(torch.inf)
    apart = torch.where(found == own, 0.0, apart)
    return float(apart.max()) if apart.numel() else 0.0


def states(stack: Stack, begin: str = "zeros to begin") -> tuple[Port, ...]:
    """The inputs for the state of a stack."""
    return tuple(
        Port(name, (tensor.shape[0], BATCH, tensor.shape[2]), f"state {name} (layers, batch, units); {begin}")
        for name, tensor in zip(stack.cell.states, beginning(stack, 1), strict=True)
    )


def after(ports: tuple[Port, ...]) -> tuple[Port, ...]:
    """The outputs for a state that goes in by `ports`."""
    return tuple(Port(f"{port.name}_next", port.axes, f"{port.name} for the next call") for port in ports)


def names_of(columns: Iterable[str]) -> list[str]:
    """Names for columns that any runtime takes, each once: letters, digits and underscores."""
    found: list[str] = []
    for column in columns:
        plain = name = re.sub(r"\W+", "_", column).strip("_") or "answer"
        number = len(found)
        while name in found:
            name, number = f"{plain}_{number}", number + 1
        found.append(name)
    return found
