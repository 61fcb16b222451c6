"""The contract of a feed: how rows of one modality go into an exported model.

It knows tensors and one modality, neither topologies nor what is answered.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from elman.data.tables import Column
from elman.export.base import BATCH, INDEX, TIME, Model, Port, Runner, Trial
from elman.modalities.base import Input
from elman.tasks.prepared import PreparedExamples
from elman.training.examples import Batch, Examples

TRIED = 200
"""Rows that a script's encoding is tried on."""


class Fed(NamedTuple):
    """What comes of a model's inputs.

    Attributes:
        inputs: as the feed's reader takes them.
        lengths: (B,), time steps of each row.
        shown: what the model gives out beside its answers.
    """

    inputs: Any
    lengths: Tensor
    shown: tuple[Tensor, ...] = ()


class Feed(nn.Module, ABC):
    """How rows of one modality go into a model: abstract. As a module it takes the tensors of `ports`.

    Attributes:
        modality: of what is read.
        script: the module in `scripts/` that shows how rows are answered.
        time: the name of the axis of time steps.
        reader: makes features (T, B, F) of what is fed as the run's own reader does, and can be exported; None where
            the symbols that are written have the vectors of those that are read.
    """

    modality: ClassVar[type[Input]]
    script: ClassVar[str] = "answer"
    time: ClassVar[str] = TIME

    def __init__(self, read: Any, reader: Any) -> None:
        super().__init__()
        self.read, self.reader = read, reader

    @property
    @abstractmethod
    def ports(self) -> tuple[Port, ...]:
        """The inputs of a model of whole rows."""

    @property
    def shown(self) -> tuple[Port, ...]:
        """The outputs of a model of whole rows beside its answers."""
        return ()

    @abstractmethod
    def forward(self, *tensors: Tensor) -> Fed:
        """Return what the reader takes, for tensors as `ports` say."""

    def examples(self, prepared: PreparedExamples, part: str) -> Examples:
        """The rows of a part, with inputs that `tensors` takes."""
        return prepared.examples(part)

    @abstractmethod
    def tensors(self, batch: Batch) -> tuple[Tensor, ...]:
        """A batch of `examples` as `ports` say."""

    def own(self, batch: Batch, shown: list[Tensor]) -> tuple[Any, list[tuple[Tensor, Tensor]]]:
        """What the run's network is to read beside a model that has shown this, and pairs that must be alike."""
        del shown
        return batch.inputs, []

    def beside(self) -> list[Model]:
        """Further models, without which there is nothing to feed step by step."""
        return []

    def trials(self, runners: Mapping[str, Runner], batch: Batch) -> Iterator[Trial]:
        """Set these further models beside what the run does."""
        del runners, batch
        return iter(())

    @property
    def step_ports(self) -> tuple[Port, ...]:
        """The inputs of a model of one step, its state left out: those of a row without time and lengths."""
        return tuple(port.without(TIME) for port in self.ports if port.name != "lengths")

    def step(self, *tensors: Tensor) -> Tensor:
        """The features (B, F) of one step, for tensors as `step_ports` say."""
        raise NotImplementedError

    def pieces(self, runners: Mapping[str, Runner], tensors: tuple[Tensor, ...]) -> Iterator[tuple[Tensor, ...]]:
        """What `step` takes, step by step, for the tensors of whole rows."""
        del runners
        given = [tensor for tensor, port in zip(tensors, self.ports, strict=True) if port.name != "lengths"]
        return zip(*(tensor.unbind(1) for tensor in given), strict=True)

    def encodings(self, script: Any, read: Mapping[str, Any], column: Column, examples: Examples) -> Iterator[bool]:
        """Say of the first rows of a column whether the script makes the same of them."""
        for k, value in enumerate(column.values.head(TRIED).to_list()):
            if (given := self.given(column, value)) is not None:
                own = self.tensors(examples.batch(np.array([k])))
                found = script.encode(read, given)
                yield all(np.array_equal(found[p.name], t.numpy()) for p, t in zip(self.ports, own, strict=True))

    def given(self, column: Column, value: Any) -> Any:
        """A value of the column as the script takes it; None where there is nothing to try."""
        del column
        return value


def still_there(column: Column, name: str) -> str | None:
    """The path of a file that a column names; None where there is none any more."""
    path = column.path(name)
    return str(path) if path.exists() else None


def lengths(what: str) -> Port:
    """The input for the lengths of rows."""
    return Port("lengths", (BATCH,), f"{what} of each row, from 1 on; what lies behind them is not read", INDEX)


def batched(tensor: Tensor) -> Tensor:
    """(T, B, ...) to (B, T, ...)."""
    return tensor.transpose(0, 1).contiguous()


def live(steps: int, lengths: Tensor) -> Tensor:
    """(B, T) bool: what lies within a row's length."""
    return torch.arange(steps) < lengths.unsqueeze(1)
