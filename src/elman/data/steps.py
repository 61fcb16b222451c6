"""A table with a row per time step as one with a row per series: lists of numbers, and of tags beside them.

It does not know what series are read for, nor how their columns are found.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from elman.data import fields, timeline
from elman.data.ragged import Array, Integers, Ragged, Values, row_of
from elman.data.tables import Column, Table, kind
from elman.errors import DataError

MOST = 10_000
"""Rows that are told at once."""


@dataclass(frozen=True)
class StepLayout:
    """Which column of a table with a row per time step is what.

    Attributes:
        inputs: columns of numbers, C of them.
        tags: columns with an answer for every time step.
        labels: columns with one answer for a series, in some of its rows or in all.
        group: the column that tells several series apart; None where there is one.
        time: the column of times, which must not go back; None where rows are in order and that is all.
        window: time steps of a series that are learnt from at once; None where whole series are.
        hop: time steps from the beginning of a window to that of the next.
    """

    inputs: list[str]
    tags: list[str]
    labels: list[str]
    group: str | None = None
    time: str | None = None
    window: int | None = None
    hop: int = 1

    @property
    def name(self) -> str:
        """What the column of series is called."""
        return ", ".join(self.inputs)

    @property
    def outputs(self) -> list[str]:
        """The columns that are answered."""
        return [*self.tags, *self.labels]

    @property
    def beside(self) -> list[str]:
        """The columns that say where a row belongs."""
        return [name for name in (self.time, self.group) if name]

    def read(self, table: Table, *, answered: bool = True) -> "StepTable":
        """Return the table with a row for each series, in the order in which they begin.

        Args:
            table: with a row per time step; where it has no column of times, its rows are in order.
            answered: whether the answers are there. Without, a series may be a single time step.

        Raises:
            DataError: a column is missing, a number or an answer is not there or cannot be, times go back, a series
                has one time step or several labels: each with its row.

        """
        time = self.time if self.time in table.names else None
        tracks = timeline.tracks(table, self.inputs, time, self.group, even=False)
        places = Ragged.of(
            np.concatenate([track.rows for track in tracks]) - 1, np.array([len(track) for track in tracks])
        )
        values = np.empty((len(table), len(self.inputs)))
        values[places.values] = np.concatenate([track.values for track in tracks])
        if answered:
            _check_lengths(table, self.group, places)
            for name in self.tags:
                table.column(name).check_filled()
            labels = [_once(table.column(name), places, _called(table, self.group, places)) for name in self.labels]
            table = replace(table, frame=table.frame.with_columns(labels))
        else:
            table = replace(table, frame=table.frame.drop(self.outputs, strict=False))
        return _gathered(self, table, values, places)

    def count(self, rows: Iterable[Any]) -> int:
        """How many series rows given in Python are of, at least one."""
        names = {str(row.get(self.group)) for row in rows if isinstance(row, dict)}
        return max(1, len(names))


@dataclass(frozen=True, kw_only=True)
class StepTable(Table):
    """A row for each series: a column of all its numbers, and those of answers that are there.

    Attributes:
        layout: which column is what.
        whole: the table with a row per time step.
        values: its numbers, (N, C).
        places: for each series the indices of its rows there.
    """

    layout: StepLayout
    whole: Table
    values: Values
    places: Ragged

    @property
    def counts(self) -> dict[str, int]:
        """Rows of the table, and the series that they make."""
        return {"rows": len(self.places.values), "series": len(self)}

    @property
    def amount(self) -> tuple[int, str]:
        """Time steps where these are answered, else series."""
        return self.whole.amount if self.layout.tags else (len(self), "series")

    def column(self, name: str) -> Column:
        """Return a column, with the row of each time step."""
        return replace(super().column(name), steps=Ragged(self.places.values + 1, self.places.starts))

    def take(self, chosen: npt.NDArray[np.integer[Any]]) -> "StepTable":
        """Return some of the series."""
        return self._of(self.places.take(chosen))

    def cut(self, share: float) -> tuple["StepTable", "StepTable"]:
        """Cut the only series in time: what comes first, and its last share, at least a time step each."""
        steps = self.places.values
        held = min(max(1, round(share * len(steps))), len(steps) - 1)
        begun, ended = (self._of(Ragged.of(own, np.array([len(own)]))) for own in (steps[:-held], steps[-held:]))
        return begun, ended

    @property
    def longer(self) -> bool:
        """Whether a series is longer than the layout's windows."""
        return self.layout.window is not None and int(self.places.lengths.max()) > self.layout.window

    def windows(self) -> "StepTable":
        """Return the windows of the layout's size; the last of a series ends with it, a shorter series is one."""
        size, hop = self.layout.window or int(self.places.lengths.max()), self.layout.hop
        cut = [
            own[begin : begin + size]
            for own in self.places
            for begin in sorted({*range(0, max(1, len(own) - size + 1), hop), max(0, len(own) - size)})
        ]
        return self._of(Ragged.of(np.concatenate(cut), np.array([len(window) for window in cut])))

    def told(self, answers: Iterable[list[dict[str, Any]]]) -> Iterator[list[dict[str, Any]]]:
        """Yield a row for each row of the table, its own columns first; without tags one for each series.

        Of a table they come as soon as all are answered that stand above, so that answers wait where series stand
        between each other's rows.
        """
        if not self.layout.tags:
            yield from self._by_series(answers)
            return
        typed = {*self.layout.inputs, self.layout.time}
        own = [_typed(column) if column.name in typed else column for column in self.whole.frame]
        own = [column for column in own if kind(column.dtype) != "mixed values"]
        firsts = np.append(self.places.values[self.places.starts[:-1]], len(self.whole))
        waiting: dict[str, Array] = {}
        series = told = 0
        for block in answers:
            places = self.places.take(np.arange(series, series + len(block)))
            for name in (name for name in block[0] if name != self.layout.name):
                column = waiting.setdefault(name, np.empty(len(self.whole), object))
                column[places.values] = _flat([row[name] for row in block], places.lengths)
            series += len(block)
            while told < firsts[series]:  # rows above the first of the next series are of those that are answered
                rows = slice(told, min(told + MOST, int(firsts[series])))
                yield _beside(
                    (_plain(column[rows]) for column in own), {n: c[rows].tolist() for n, c in waiting.items()}
                )
                for column in waiting.values():
                    column[rows] = None
                told = rows.stop

    def _by_series(self, answers: Iterable[list[dict[str, Any]]]) -> Iterator[list[dict[str, Any]]]:
        series = 0
        for block in answers:
            rows = self.frame[series : series + len(block)]
            said = {name: [row[name] for row in block] for name in block[0] if name != self.layout.name}
            yield _beside([_plain(rows[name]) for name in filter(None, [self.layout.group])], said)
            series += len(block)

    def _of(self, places: Ragged) -> "StepTable":
        return _gathered(self.layout, self.whole, self.values, places)


def _gathered(layout: StepLayout, table: Table, values: Values, places: Ragged) -> StepTable:
    """The table of the series at these places."""
    at, owners = pl.Series(places.values), row_of(places.lengths)
    first = places.values[places.starts[:-1]]
    numbers = values[places.values]
    flat = {layout.name: pl.Series(numbers if numbers.shape[1] > 1 else numbers[:, 0])}
    flat |= {name: _name(table.frame[name].gather(at)) for name in layout.tags if name in table.names}
    lists = pl.DataFrame({"of": owners} | {f"in {name}": column for name, column in flat.items()})
    made = lists.group_by("of", maintain_order=True).agg(pl.all()).drop("of").rename(lambda name: name[3:])
    names = [layout.group] if layout.group else []
    each = [table.frame[name].gather(pl.Series(first)) for name in (*layout.labels, *names) if name in table.names]
    return StepTable(
        source=table.source,
        frame=made.with_columns(each),
        numbers=first + 1,
        layout=layout,
        whole=table,
        values=values,
        places=places,
    )


def _name(column: pl.Series) -> pl.Series:
    """Numbers and booleans as they are, anything else as texts."""
    held = kind(column.dtype)
    return column if held == "number" else fields.moments(column) if held == "times" else column.cast(pl.String)


def _flat(answers: list[Any], lengths: Integers) -> list[Any]:
    """An answer for each series, or a list of them, as one for each time step."""
    lists = zip(answers, lengths, strict=True)
    return [each for one, count in lists for each in (one if isinstance(one, list) else [one] * int(count))]


def varies(table: Table, name: str, group: str | None) -> bool:
    """Whether a column has different values within a series; where it has none does not count."""
    if group is None:
        return True
    found = table.frame.group_by(group).agg(pl.col(name).drop_nulls().n_unique())
    return bool((found[name] > 1).any())


def in_blocks(column: Column) -> bool:
    """Whether a column has each of its values in neighbouring rows only, and most of them in several."""
    changes = int((column.values != column.values.shift(1)).sum())
    return changes + 1 == column.values.n_unique() and 2 * (changes + 1) <= len(column)


def _called(table: Table, group: str | None, places: Ragged) -> list[str]:
    """What messages call the series."""
    if group is None:
        return ["the series"] * len(places)
    first = pl.Series(places.values[places.starts[:-1]])
    return [f"series {name!r}" for name in table.frame[group].gather(first).cast(pl.String)]


def _check_lengths(table: Table, group: str | None, places: Ragged) -> None:
    """Raise DataError where a series is a single time step."""
    short = np.flatnonzero(places.lengths == 1)
    if group is None or not len(short):
        return
    column = table.column(group)
    if len(short) == len(places):
        raise DataError(
            f"{table.source}: every row of column {group!r} has a value of its own, so that no series has two time "
            "steps; name the column that the rows of a series share with --group"
        )
    index = int(places[short[0]][0])
    what = f"is {column.values[index]!r} in this row alone, and a series needs two time steps"
    raise column.error(index, f"{what}; give more of its rows, or leave it out")


def _once(column: Column, places: Ragged, called: Sequence[str]) -> pl.Series:
    """A column of labels, with the label of each series in all of its rows."""
    owners = row_of(places.lengths)
    given = pl.DataFrame({"of": owners, "label": column.values.gather(pl.Series(places.values))})
    labels = given.group_by("of", maintain_order=True).agg(pl.col("label").drop_nulls().first())["label"]
    if labels.has_nulls():
        k = int(labels.is_null().arg_max() or 0)
        raise column.error(int(places[k][0]), f"is empty in every row of {called[k]}; fill it in, or remove the rows")
    usual = labels.gather(pl.Series(owners))
    if (wrong := given["label"].is_not_null() & (given["label"] != usual)).any():
        at = int(wrong.arg_max() or 0)
        own = places[int(owners[at])]
        first = own[column.values.gather(pl.Series(own)).is_not_null().arg_max() or 0]
        raise column.error(
            int(places.values[at]),
            f"is {given['label'][at]!r}, but {called[owners[at]]} is {usual[at]!r} in row {first + 1}; give a series "
            "one label, or train tagging, which answers every row",
        )
    rows = np.empty(len(column), np.int64)
    rows[places.values] = owners
    return labels.gather(pl.Series(rows)).alias(column.name)


def _beside(own: Iterable[pl.Series], said: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """Rows with what is said of each behind its own columns."""
    columns = {column.name: column.to_list() for column in own} | said
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _typed(column: pl.Series) -> pl.Series:
    """A column of numbers as such, where a file has them as texts."""
    if column.dtype != pl.String:
        return column
    numbers = (column.cast(dtype, strict=False) for dtype in (pl.Int64, pl.Float64))
    return next((found for found in numbers if not found.has_nulls()), column)


def _plain(column: pl.Series) -> pl.Series:
    """A column as JSON can have it: times as texts, and no numbers that are not finite."""
    if column.dtype.is_temporal():
        return column.cast(pl.String)
    return column.set(~column.is_finite(), None) if column.dtype.is_float() else column
