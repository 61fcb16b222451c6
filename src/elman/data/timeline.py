"""A table with a row per time step as tracks: one stretch of numbers for each series, checked step by step.

It does not know which column is forecast and which only helps.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from elman.data.tables import Column, Rows, Table

Values = npt.NDArray[np.float64]
TIMES = ("date", "time", "datetime", "timestamp", "ds")
"""Names that people give to the column of times."""
LOOKED_AT = 100


@dataclass(frozen=True)
class Track:
    """One series.

    Attributes:
        name: of the series; empty where the table holds one only.
        values: (T, C).
        rows: (T,), the rows' numbers in the file.
        times: (T,), or None where rows are in order and that is all.
    """

    name: str
    values: Values
    rows: Rows
    times: pl.Series | None = None

    def __len__(self) -> int:
        """T."""
        return len(self.values)

    def cut(self, start: int, stop: int) -> "Track":
        """Return the time steps from `start` to `stop`, exclusive."""
        times = None if self.times is None else self.times[start:stop]
        return replace(self, values=self.values[start:stop], rows=self.rows[start:stop], times=times)

    def after(self, count: int) -> list[Any]:
        """Return the times of the next `count` steps; their numbers where there is no time."""
        if self.times is None:
            return list(range(1, count + 1))
        last, step = self.times[-1], self.times[-1] - self.times[-2]
        return [last + k * step for k in range(1, count + 1)]


def tracks(table: Table, names: Sequence[str], time: str | None, group: str | None) -> list[Track]:
    """Read the columns `names` as numbers, series by series.

    Raises:
        DataError: a column is missing; a value is no finite number; times cannot be read, repeat, go back or leave
            steps out: each with its row.

    """
    values = np.stack([_numbers(table.column(name)) for name in names], axis=1)
    times = None if time is None else _times(table.column(time))
    if group is None:
        owners = {"": np.arange(len(table))}
    else:
        column = table.column(group)
        column.check_filled()
        numbered = pl.DataFrame({"group": column.values.cast(pl.String), "at": np.arange(len(table))})
        found = numbered.group_by("group", maintain_order=True).agg("at").rows()
        owners = {str(name): np.array(at) for name, at in found}
    made = []
    for name, at in owners.items():
        own = None if times is None else times.gather(pl.Series(at))
        track = Track(name, values[at], table.rows[at], own)
        if time is not None:
            _check_steps(table.column(time), track)
        made.append(track)
    return made


def numeric(table: Table) -> list[str]:
    """Return the names of the columns that hold numbers, by their first rows."""
    found = []
    for column in table.columns():
        head = column.values.head(LOOKED_AT)
        if column.kind == "number" or (
            column.kind == "text" and head.cast(pl.Float64, strict=False).is_not_null().all()
        ):
            found.append(column.name)
    return found


def _numbers(column: Column) -> Values:
    """The column as finite numbers; DataError at the first row that has none."""
    if column.kind not in ("number", "text"):
        raise column.error(0, f"holds {column.kind}, not a number per time step")
    numbers = column.values.cast(pl.Float64, strict=False).to_numpy().astype(np.float64)  # what is no number is NaN
    right = np.isfinite(numbers)
    if not right.all():
        index = int(right.argmin())
        value = column.values[index]
        said = "is empty" if value is None or value == "" else f"is {value!r}, not a finite number"
        raise column.error(index, f"{said}; fill the gap, or remove the rows before it")
    return numbers


def _times(column: Column) -> pl.Series:
    """The column as times or numbers; DataError at the first row that is none."""
    column.check_filled()
    values = column.values
    if values.dtype.is_temporal() or values.dtype.is_numeric():
        return values
    try:
        times = values.cast(pl.String).str.to_datetime(strict=False)
    except pl.exceptions.ComputeError:  # no format fits the first value
        times = pl.Series(column.name, [None] * len(values), pl.Datetime)
    if times.null_count() == len(times):
        times = values.cast(pl.Float64, strict=False)
    if times.null_count() and (index := column.first(times.is_null())) is not None:
        raise column.error(index, f"is {values[index]!r}, which is no time; write 2026-05-11 14:00:00")
    return times


def _check_steps(column: Column, track: Track) -> None:
    """Raise DataError where a time repeats, goes back, or where steps are left out."""
    times: Any = track.times
    of = f" of series {track.name!r}" if track.name else ""
    if len(times) < 2 or _even(times):
        return
    steps = times.diff()[1:]
    usual = steps.mode().sort()[0]
    place = _first(steps <= 0 * usual)
    if place is not None:
        index = int(track.rows[place + 1]) - 1
        again = steps[place] == 0 * usual
        what = (
            f"repeats the time {times[place]}{of}; keep one row" if again else f"goes back in time{of}; sort the rows"
        )
        raise column.error(index, what)
    if not _calendar(times) and (place := _first(steps != usual)) is not None:
        index = int(track.rows[place + 1]) - 1
        raise column.error(
            index,
            f"comes {steps[place]} after the row before{of}, where steps are {usual}; fill in what is missing",
        )


def _first(wrong: pl.Series) -> int | None:
    return wrong.arg_max() if wrong.any() else None


def _even(times: pl.Series) -> bool:
    """Whether all steps have the same length, forward in time: what there is to see of nearly every series."""
    numbers = times.to_physical().to_numpy()
    steps = np.diff(numbers)
    return bool((steps == steps[0]).all() and numbers[-1] > numbers[0])


def _calendar(times: pl.Series) -> bool:
    """Whether all times are the first of a month, so that steps of unequal length are meant."""
    return bool(times.dtype.is_temporal() and (times.dt.day() == 1).all() and times.dt.month().n_unique() > 1)
