"""The contract of a modality: one kind of value that goes into a network or comes out of it.

A modality fits itself on the training part of the data, turns raw values into padded tensors, offers a reader on the
way in and, where it can be an output, a head on the way out. It does not know the topology between them.
"""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import polars as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from elman.data.ragged import Integers, Ragged
from elman.data.tables import Column
from elman.modalities import names

IGNORED = -100
"""What stands in the place of a target where there is none."""


class Head(nn.Module, ABC):
    """Features -> scores, and what scores are worth against targets."""

    @abstractmethod
    def forward(self, features: Tensor) -> Tensor:
        """Return the scores for features (T, B, H), or (B, H) of whole rows."""

    @abstractmethod
    def loss(self, scores: Tensor, targets: Tensor, scored: Tensor | None = None) -> Tensor:
        """Return the mean loss over the targets where `scored`, of their shape, is true, or over all of them."""


UNSEEN = 0.1
"""As often a symbol counts that never occurs."""


def log_frequencies(counts: Tensor) -> Tensor:
    """Return ln P of symbols by how often they occur: the bias that a network would learn first of all."""
    return ((counts + UNSEEN) / (counts + UNSEEN).sum()).log()


class CategoricalHead(Head):
    """y = W h + b, one score per symbol; softmax gives the distribution over them.

    Args:
        features: H.
        symbols: V.
        label_smoothing: the share of a target's probability that all symbols get alike in training (Szegedy
            et al. 2016).
    """

    def __init__(self, features: int, symbols: int, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.linear = nn.Linear(features, symbols)
        self.label_smoothing = label_smoothing

    def expect(self, counts: Tensor) -> None:
        """Begin with how often each symbol occurs in training, (V,): with ln P of each by itself as b."""
        with torch.no_grad():
            self.linear.bias.copy_(log_frequencies(counts))

    @torch.no_grad()
    def divide(self, temperature: float) -> None:
        """Divide all scores by a number from now on."""
        self.linear.weight.div_(temperature)
        self.linear.bias.div_(temperature)

    def forward(self, features: Tensor) -> Tensor:
        """Return scores (..., V) in float32 for features (..., H)."""
        scores: Tensor = self.linear(features)
        return scores.float()

    def loss(self, scores: Tensor, targets: Tensor, scored: Tensor | None = None) -> Tensor:
        """Return the cross-entropy in nats per scored target; targets are int64, of the scores' shape without V.

        Smoothed in training only, so that what is measured in eval mode is the plain cross-entropy.
        """
        smoothing = self.label_smoothing if self.training else 0.0
        if scored is None:
            return F.cross_entropy(scores.flatten(0, -2), targets.flatten(), label_smoothing=smoothing)
        return F.cross_entropy(scores[scored], targets[scored], label_smoothing=smoothing)


class Modality(ABC):
    """One kind of value. Instances are fitted; `to_dict` and `from_dict` carry them to disk and back."""

    name: ClassVar[str]

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Describe the fitted modality for JSON."""

    @classmethod
    @abstractmethod
    def from_dict(cls, value: dict[str, Any]) -> Self:
        """Make the modality that `to_dict` described."""


class Encoded(Protocol):
    """A column turned into numbers."""

    @property
    def lengths(self) -> Integers:
        """Time steps of each row, (N,)."""

    def batch(self, rows: Integers) -> Any:
        """Return some rows side by side, as the modality's reader takes them: (T, B, ...)."""


class Reader(nn.Module):
    """Encoded values -> features (T, B, `features`): abstract.

    Attributes:
        features: how many numbers per time step; may differ from what was asked for.
    """

    features: int


class Input(Modality):
    """A modality that a network can read: a column of a table, every row a sequence.

    Attributes:
        dropout: of its reader's features, where the user does not say it.
        files: whether its values name files.
    """

    dropout: ClassVar[float] = 0.4
    files: ClassVar[bool] = False

    @abstractmethod
    def encode(self, column: Column) -> Encoded:
        """Turn a column into numbers; DataError names the first row that cannot be read."""

    def check(self, column: Column) -> None:
        """Raise the DataError that `encode` would, in less time where most rows are seen to be right at a glance."""
        self.encode(column)

    def keep(self, column: Column, place: Path) -> Encoded:
        """Encode a column whose rows lie at `place`, and keep beside them what could not be encoded from them alone."""
        del place
        return self.encode(column)

    def kept(self, column: Column, place: Path) -> Encoded:
        """Return what `keep` returned, for the column as it was read back from `place`."""
        del place
        return self.encode(column)

    def extended(self, column: Column) -> Self:
        """Return the same with what is new in a further column, behind what was there; it is itself if it cannot grow.

        Of its reader's weights those have more rows then that have one for each symbol.
        """
        del column
        return self

    def found_at(self, place: Path) -> list[str] | None:
        """Return the values that a file or folder stands for which is no table; None where it stands for none."""
        del place
        return None

    @abstractmethod
    def reader(self, features: int) -> Reader:
        """Return a new reader with about `features` numbers per time step."""

    @abstractmethod
    def facts(self, encoded: Any) -> dict[str, int]:
        """Return counts that describe an encoded column, for people."""


class Answer(Modality):
    """A modality that a network can answer with: symbols, one for a row or several.

    Attributes:
        stepwise: whether there are several for a row, one after the other.
    """

    stepwise: ClassVar[bool]

    def extended(self, column: Column) -> Self:
        """Return the same with what is new in a further column, behind what was there; it is itself if it cannot grow.

        Of its head's weights those have more rows then that have one for each symbol.
        """
        del column
        return self

    @abstractmethod
    def encode(self, column: Column) -> Ragged:
        """Turn a column into symbol numbers; DataError names the first row that cannot be read."""


class Output(Answer):
    """One symbol of a few for a row or, if stepwise, one for each of its time steps.

    Attributes:
        symbols: what there is to choose from, as texts.
        kind: what they were in training, of `names.KINDS`.
        values: the same as that.
    """

    def __init__(self, symbols: list[str], kind: str = names.TEXT) -> None:
        self.symbols, self.kind, self.values = symbols, kind, names.values(symbols, kind)

    def to_dict(self) -> dict[str, Any]:
        """Return the symbols and their kind."""
        return {"symbols": self.symbols, "kind": self.kind}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Self:
        """Take them; runs that do not say the kind answer texts."""
        return cls(value["symbols"], value.get("kind", names.TEXT))

    def numbers(self, values: pl.Series) -> pl.Series:
        """Return the number of the symbol that each value is, null where it is none."""
        return names.numbers(values, self.symbols, self.kind)

    def added(self, values: pl.Series) -> list[str]:
        """Return the symbols, with those behind them that are new among values; with none if these are another kind."""
        found, kind = names.collected(values.filter(self.numbers(values).is_null()))
        return self.symbols + (found if kind == self.kind else [])

    def head(self, features: int, label_smoothing: float = 0.0) -> Head:
        """Return a new head that reads `features` numbers."""
        return CategoricalHead(features, len(self.symbols), label_smoothing)

    @abstractmethod
    def decode(self, log_probabilities: Tensor, lengths: Integers) -> Tensor:
        """Return the numbers of the chosen symbols, (B,) or (T, B), for ln P of shape (B, V) or (T, B, V)."""
