"""Tags as a modality: one of a few names for every time step, among them spans in BIO form.

B-x begins a span of kind x, I-x continues it, O lies outside. In the older form of these tags I-x begins spans too, and
B-x those right behind another one of kind x (Ramshaw & Marcus 1995). Tags that are not of this form are plain names.
"""

from dataclasses import replace
from typing import Any, NamedTuple, Self

import numpy as np
import polars as pl
import torch
from torch import Tensor

from elman.data import tables
from elman.data.ragged import Array, Integers, Ragged
from elman.data.tables import Column
from elman.modalities import names
from elman.modalities.base import Output
from elman.modalities.words import TOKENS, cut

OUTSIDE = "O"
LOOKED_AT = 1000
"""Rows that show whether a column holds tags."""
FORBIDDEN = -1e4
"""ln P of a step that BIO does not allow: less than anything that is said, and finite, so that sums stay numbers."""


class Span(NamedTuple):
    """The time steps `start` to `stop` (exclusive) and what they are."""

    start: int
    stop: int
    kind: str


class Tags(Output):
    """A tag for every time step.

    Args:
        symbols: the tags, as texts.
        kind: what they were in training.
        strict: whether only B-x begins spans, so that an answer in which I-x does is none.
    """

    name = "tags"
    stepwise = True

    def __init__(self, symbols: list[str], kind: str = names.TEXT, *, strict: bool = True) -> None:
        super().__init__(symbols, kind)
        self.strict = strict
        self._allowed = torch.from_numpy(_allowed(symbols))

    @property
    def spans(self) -> bool:
        """Whether the tags mark spans in BIO form."""
        return all(_is_bio(tag) for tag in self.symbols)

    @classmethod
    def fit(cls, column: Column) -> Self:
        """Collect the tags, and see what begins most spans; DataError where most time steps have a tag of their own."""
        lists = tag_lists(column)
        every = lists.explode()
        symbols, kind = names.collected(every)
        names.check_few(column, symbols, len(every), "time steps")
        return cls(symbols, kind, strict=_is_strict(lists))

    def extended(self, column: Column) -> Self:
        """Add the tags that are new; DataError where most time steps have one of their own."""
        every = tag_lists(column).explode()
        symbols = self.added(every)
        names.check_few(column, symbols[len(self.symbols) :], len(every), "time steps")
        return type(self)(symbols, self.kind, strict=self.strict)

    def to_dict(self) -> dict[str, Any]:
        """Return the tags, their kind, and whether only B-x begins spans."""
        return super().to_dict() | {"strict": self.strict}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Self:
        """Take them; in runs that do not say so only B-x does."""
        return cls(value["symbols"], value.get("kind", names.TEXT), strict=value.get("strict", True))

    def named(self, numbers: Array) -> list[str]:
        """Return the tags of these numbers."""
        return [self.symbols[number] for number in numbers]

    def encode(self, column: Column) -> Ragged:
        """Look the tags up; DataError names the row of the first that training has not seen."""
        lists = tag_lists(column)
        flat = lists.explode()
        numbers = self.numbers(flat)
        found = Ragged.of(numbers.to_numpy(), lists.list.len().to_numpy())
        if numbers.has_nulls():
            place = int(numbers.is_null().arg_max() or 0)
            index = found.row_of(place)
            what = "has an empty tag" if flat[place] is None else f"has the tag {flat[place]!r}"
            step = place - int(found.starts[index])
            raise column.error(index, f"{what}, {names.unseen(flat[place], self.values)}", step)
        return found

    def decode(self, log_probabilities: Tensor, lengths: Integers) -> Tensor:
        """Return the most probable sequence of tags that BIO allows, (T, B), by Viterbi's algorithm."""
        if not (self.spans and self.strict):
            return log_probabilities.argmax(-1)
        steps, rows, _ = log_probabilities.shape
        allowed = self._allowed.to(log_probabilities.device)
        ended = torch.from_numpy(lengths).to(log_probabilities.device)
        best, came = log_probabilities[0] + allowed[-1], []
        for t in range(1, steps):
            onward, origin = (best.unsqueeze(2) + allowed[:-1]).max(1)
            live = (t < ended).unsqueeze(1)
            best = torch.where(live, onward + log_probabilities[t], best)
            came.append(torch.where(live, origin, torch.arange(best.shape[1], device=best.device)))
        path = [best.argmax(1)]
        path += [path[-1]] if not came else []
        for origin in reversed(came):
            path.append(origin.gather(1, path[-1].unsqueeze(1)).squeeze(1))
        return torch.stack(path[:steps][::-1]) if rows else log_probabilities.argmax(-1)


def tag_lists(column: Column) -> pl.Series:
    """Return the column as lists of tags; a text is cut at its spaces. DataError at the first row without any."""
    inner = getattr(column.values.dtype, "inner", None)
    if inner is None or tables.kind(inner) != "number":
        return cut(column, TOKENS)
    cut(replace(column, values=column.values.cast(pl.List(pl.String))), TOKENS)
    return column.values.cast(pl.List(inner))


def has_one_for_each(steps: pl.Series, rows: Integers, column: Column) -> bool:
    """Whether a column holds tags: lists, or texts with as many as there are time steps in most of the rows looked at.

    Args:
        steps: how many time steps some rows have.
        rows: the numbers of these rows, as the column counts them.
        column: all rows.
    """
    if column.kind != "text":
        return column.kind in ("texts", "numbers")
    beside = column.take(np.searchsorted(column.rows, rows[:LOOKED_AT])).values.str.count_matches(TOKENS)
    same = steps.head(LOOKED_AT) == beside
    return bool(same.sum() > len(same) / 2)


def spans_of(tags: list[str]) -> set[Span]:
    """Return the spans that BIO tags mark; an I-x that continues nothing begins a span, as conlleval reads it."""
    found, start, kind = set(), 0, ""
    for t, tag in enumerate([*tags, OUTSIDE]):
        mark, _, of = tag.partition("-")
        if kind and (mark != "I" or of != kind):
            found.add(Span(start, t, kind))
            kind = ""
        if mark in ("B", "I") and of and not kind:
            start, kind = t, of
    return found


def _is_bio(tag: str) -> bool:
    return tag == OUTSIDE or tag[:2] in ("B-", "I-")


def _is_strict(lists: pl.Series) -> bool:
    """Whether B- begins more of the spans in lists of tags than I-."""
    if lists.dtype != pl.List(pl.String):
        return True
    tags = pl.DataFrame({"own": lists, "former": lists.list.eval(pl.element().shift())}).explode("own", "former")
    own, former = tags["own"], tags["former"].fill_null(OUTSIDE)
    bare = own.str.starts_with("I-") & (own.str.slice(2) != former.str.slice(2))
    return int(bare.sum()) <= int(own.str.starts_with("B-").sum())


def _allowed(symbols: list[str]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """0 where a tag may follow another, FORBIDDEN elsewhere, (V + 1, V); the last row is for a sequence's first tag."""
    before = [*symbols, OUTSIDE]
    may = [[tag[:2] != "I-" or former[2:] == tag[2:] for tag in symbols] for former in before]
    return np.where(may, 0.0, FORBIDDEN).astype(np.float32)
