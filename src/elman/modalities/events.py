"""Sets of events as a modality: at every time step a set of them, as the notes of a chord or the goods of a basket.

An event is a whole number or a text. A set is written as the numbers of its events in rising order, filled up with
`nothing`, so that a batch takes memory for the events there are and not for those there could be. It does not know
what reads the sets, nor what is made of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from elman.data.ragged import Array, Integers, Ragged, row_of, within
from elman.data.tables import Column
from elman.errors import DataError
from elman.modalities.base import Input, Reader

Event = int | str


class Sets(NamedTuple):
    """The sets of a column as they are in its file: all events, how many each time step has, and steps of each row."""

    events: pl.Series
    counts: Integers
    lengths: Integers


@dataclass(frozen=True)
class EncodedEvents:
    """Rows of sets of event numbers.

    Attributes:
        sets: for each time step of all rows its events, in rising order.
        starts: (B + 1,), where the time steps of each row begin.
        nothing: what a set is filled up with.
    """

    sets: Ragged
    starts: Integers
    nothing: int

    @property
    def lengths(self) -> Integers:
        """Time steps of each row."""
        return np.diff(self.starts)

    def batch(self, rows: Integers) -> Tensor:
        """Some rows side by side, (T, B, K) int64, of K events at most."""
        places, lengths = Ragged(np.arange(len(self.sets)), self.starts).places(rows)
        events = self.sets.padded(places, self.nothing)
        found = np.full((int(lengths.max(initial=0)), len(rows), len(events)), self.nothing, np.int64)
        found[within(lengths), row_of(lengths)] = events.T
        return torch.from_numpy(found)

    def multi_hot(self, first: int, last: int) -> Array:
        """The time steps `first` to `last` of all rows, (last - first, events) bool."""
        found = np.zeros((last - first, self.nothing), bool)
        begin, end = self.sets.starts[first], self.sets.starts[last]
        found[np.repeat(np.arange(last - first), self.sets.lengths[first:last]), self.sets.values[begin:end]] = True
        return found


class Events(Input):
    """The distinct events of the training part, and one further event that stands for all others.

    Args:
        events: what there is, in order.
        counts: in how many time steps of the training part each occurs, and as the last how many hold another event.
        steps: how many time steps the training part has.
    """

    name = "events"

    def __init__(self, events: Sequence[Event], counts: Sequence[int], steps: int) -> None:
        self.events, self.counts, self.steps = list(events), list(counts), steps
        self.unknown = len(self.events)
        self.size = self.nothing = len(self.events) + 1
        self.begin = self.size + 1
        self._number = {event: number for number, event in enumerate(self.events)}

    @classmethod
    def fit(cls, column: Column, most: int) -> Self:
        """Collect the events, at most so many: the rarer ones are the unknown event. DataError where there are none."""
        found = sets_of(column)
        if not len(found.events):
            raise DataError(f"{column.source}: column {column.name!r} has no events, only empty sets; give some")
        frequent = found.events.value_counts(sort=True)[found.events.name].head(most)
        blank = cls(frequent.sort().to_list(), [], len(found.counts))
        counts = np.bincount(blank._numbered(found, column).sets.values, minlength=blank.size)
        return cls(blank.events, counts.tolist(), blank.steps)

    @property
    def kind(self) -> str:
        """What an event is, in words."""
        return "whole numbers" if isinstance(self.events[0], int) else "texts"

    def encode(self, column: Column) -> EncodedEvents:
        """Look the events up; DataError names the first row that holds no sets of events."""
        return self._numbered(sets_of(column), column)

    def encode_step(self, events: Any) -> Tensor:
        """Return the numbers of one set, (1, 1, K) int64; DataError where they are no events of this kind."""
        listed = isinstance(events, Iterable) and not isinstance(events, str | bytes | dict)
        found: list[Any] = list(events) if listed else []
        if not listed or not all(_is(event, type(self.events[0])) for event in found):
            raise DataError(f"a time step of this run is a list of {self.kind}, got {events!r:.60}")
        numbers = sorted({self._number.get(event, self.unknown) for event in found})
        return torch.tensor(numbers, dtype=torch.int64).reshape(1, 1, -1)

    def decode(self, numbers: Sequence[int]) -> list[Event]:
        """Return the events of numbers, without the unknown one."""
        return [self.events[number] for number in numbers if number < self.unknown]

    def log_odds(self) -> Tensor:
        """ln p / (1 - p) of every event by itself, (size,), as often as it occurs in the training part."""
        counts = torch.tensor(self.counts, dtype=torch.float64)
        return torch.log((counts + 0.5) / (self.steps - counts + 0.5)).float()

    def reader(self, features: int) -> Reader:
        """Return a sum of vectors, one for each event."""
        return EventReader(self.size, features)

    def facts(self, encoded: EncodedEvents) -> dict[str, int]:
        """Count time steps, events, and those that are unknown."""
        events = encoded.sets.values
        return {
            "time_steps": len(encoded.sets),
            "events": len(events),
            "unknown_events": int((events == self.unknown).sum()),
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the events and how often they occur."""
        return {"events": self.events, "counts": self.counts, "steps": self.steps}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Self:
        """Take what `to_dict` returned."""
        return cls(value["events"], value["counts"], value["steps"])

    def _numbered(self, found: Sets, column: Column) -> EncodedEvents:
        """Number the events of every set, each once, in rising order."""
        if len(found.events) and found.events.dtype.is_integer() != isinstance(self.events[0], int):
            raise column.error(0, f"holds events that are {_said(found.events)}; in training they were {self.kind}")
        step = row_of(found.counts)
        numbers = np.empty(0, np.int64)
        if len(found.events):
            known = found.events.replace_strict(
                self.events, list(range(self.unknown)), default=self.unknown, return_dtype=pl.Int64
            )
            numbers = known.to_numpy()
        keys = np.unique(step * self.size + numbers)
        counts = np.bincount(keys // self.size, minlength=len(found.counts))
        starts = np.concatenate([[0], np.cumsum(found.lengths, dtype=np.int64)])
        return EncodedEvents(Ragged.of((keys % self.size).astype(np.int32), counts), starts, self.nothing)


class EventReader(Reader):
    """Sets (T, B, K) -> the sum of their events' vectors (T, B, features).

    Beside the events there is `begin`, what stands before the first set; the unknown event, which training may never
    have seen, begins with zeros.
    """

    def __init__(self, size: int, features: int) -> None:
        super().__init__()
        self.features, self.nothing = features, size
        self.embedding = nn.Embedding(size + 2, features, padding_idx=size)
        with torch.no_grad():
            self.embedding.weight[size - 1] = 0

    def forward(self, sets: Tensor) -> Tensor:
        """Return the features."""
        bags = sets.flatten(0, 1)
        if not bags.shape[1]:
            return self.embedding.weight.new_zeros(*sets.shape[:2], self.features)
        summed = F.embedding_bag(bags, self.embedding.weight, mode="sum", padding_idx=self.nothing)
        return summed.reshape(*sets.shape[:2], -1)

    def before(self, sets: Tensor) -> Tensor:
        """What is known before each set (T, B, K) and behind the last, (T + 1, B, K): `begin` before the first."""
        first = sets.new_full((1, sets.shape[1], max(1, sets.shape[2])), self.nothing)
        first[..., 0] = self.nothing + 1
        return torch.cat([first, F.pad(sets, (0, first.shape[2] - sets.shape[2]), value=self.nothing)])


def holds_sets(column: Column) -> bool:
    """Whether a column holds, for every row, a list of lists of whole numbers or texts."""
    inner = _inner(column.values.dtype)
    return inner is not None and (inner in (pl.Null, pl.String) or inner.is_numeric())


def sets_of(column: Column) -> Sets:
    """Return a column's sets.

    Raises:
        DataError: names the first row that has none, or holds something that is no event.

    """
    if not holds_sets(column):
        raise column.error(
            0,
            f"holds {column.kind}, not sets: for every time step a list of whole numbers or texts, as [[60, 64], []]",
        )
    column.check_filled()
    rows = column.values.cast(pl.List(pl.List(_inner(column.values.dtype))))
    lengths = rows.list.len()
    if (index := column.first(lengths == 0)) is not None:
        raise column.error(index, "has no time steps; remove the row")
    steps, owners = rows.explode(), row_of(lengths.to_numpy())
    if steps.has_nulls():
        raise column.error(int(owners[steps.is_null().arg_max() or 0]), "lacks a time step; write [] for an empty set")
    counts = steps.list.len().to_numpy().astype(np.int64)
    events = steps.filter(pl.Series(counts > 0)).explode() if counts.any() else pl.Series(column.name, [], pl.Int64)
    owners = np.repeat(owners, counts)
    if events.has_nulls():
        raise column.error(int(owners[events.is_null().arg_max() or 0]), "lacks an event in a set; leave it out")
    if events.dtype.is_numeric():
        whole = events.cast(pl.Int64, strict=False)
        if (other := (whole != events).fill_null(value=True)).any():
            place = int(other.arg_max() or 0)
            raise column.error(int(owners[place]), f"holds {events[place]:g}; events are whole numbers or texts")
        events = whole
    return Sets(events, counts, lengths.to_numpy().astype(np.int64))


def _inner(dtype: Any) -> Any:
    """The type of the items of a list of lists, None where it is none."""
    for _ in range(2):
        if not isinstance(dtype, pl.List | pl.Array):
            return None
        dtype = dtype.inner
    return dtype


def _is(value: Any, wanted: type) -> bool:
    return isinstance(value, wanted) and not isinstance(value, bool)


def _said(events: pl.Series) -> str:
    return "whole numbers" if events.dtype.is_integer() else "texts"
