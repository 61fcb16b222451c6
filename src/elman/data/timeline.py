"""A table with a row per time step as tracks: one stretch of numbers for each series, checked step by step.

It does not know which column is forecast and which only helps.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from elman.data.ragged import Integers, Values
from elman.data.tables import Column, Table, kind

TIMES = ("date", "time", "datetime", "timestamp", "ds")
"""Names that people give to the column of times."""
LOOKED_AT = 100
SAME = 1e-6
"""As a share of the usual step, by how much others may differ where times are numbers that are not whole."""
THOUSANDS = r"^\s*[+-]?\d{1,3}(,\d{3})+(\.\d*)?\s*$"
MONTH = r"^\d{4}-\d{2}$"


@dataclass(frozen=True)
class Track:
    """One series.

    Attributes:
        name: of the series; empty where the table holds one only.
        values: (T, C).
        rows: (T,), the rows' numbers in the file.
        times: (T,), or None where rows are in order and that is all.
        before: how many of the first time steps belong to an earlier part, and are only read.
    """

    name: str
    values: Values
    rows: Integers
    times: pl.Series | None = None
    before: int = 0

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
        if (months := _months(self.times)) is not None:
            step = int(months[-1] - months[-2])
            return [_month(self.times[-1], k * step) for k in range(1, count + 1)]
        if self.times.dtype.is_float():
            last, step = self.times[-1], (self.times[-1] - self.times[0]) / (len(self) - 1)
            return [float(f"{last + k * step:.15g}") for k in range(1, count + 1)]
        last, step = self.times[-1], self.times[-1] - self.times[-2]
        return [last + k * step for k in range(1, count + 1)]


def tracks(
    table: Table, names: Sequence[str], time: str | None, group: str | None, *, even: bool = True
) -> list[Track]:
    """Read the columns `names` as numbers, series by series.

    Args:
        table: with a row per time step.
        names: of the columns of numbers, C of them.
        time: the column of times.
        group: the column that tells several series apart; their rows may stand between each other's.
        even: whether steps must be equally long; else times must only not go back.

    Raises:
        DataError: a column is missing; a value is no finite number; times cannot be read, go back or, if they must be
            even, repeat or leave steps out: each with its row.

    """
    values = np.stack([_numbers(table.column(name)) for name in names], axis=1)
    times = None if time is None else _times(table.column(time))
    series, order, ends = [""], np.arange(len(table)), np.array([len(table)])
    if group is not None:
        column = table.column(group)
        column.check_filled()
        _check_single(column, "the name of a series")
        numbered = pl.DataFrame({"group": column.values.cast(pl.String), "at": order})
        found = numbered.group_by("group", maintain_order=True).agg("at")
        series, order = found["group"].to_list(), found["at"].explode().to_numpy()
        ends = found["at"].list.len().cum_sum().to_numpy()
    if times is not None:  # for all series at once: what polars does for each takes a while for many
        times = times.gather(pl.Series(order))
        numbers = times.to_physical().to_numpy()
    made = []
    for name, start, stop in zip(series, [0, *ends[:-1]], ends, strict=True):
        at = order[start:stop]
        track = Track(name, values[at], table.rows[at], None if times is None else times[int(start) : int(stop)])
        if time is not None and not _even(numbers[start:stop]):
            _check_steps(table.column(time), track, even=even)
        made.append(track)
    return made


def numeric(table: Table) -> list[str]:
    """Return the names of the columns that hold numbers, by most of their first values."""
    found = []
    for column in table.columns():
        head, held = column.values.head(LOOKED_AT).drop_nulls(), column.kind
        if held == "number" or (
            held == "text" and 2 * head.cast(pl.Float64, strict=False).is_not_null().sum() > len(head)
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
        if re.match(THOUSANDS, str(value)):
            raise column.error(index, f"{said}; write {value.strip().replace(',', '')}, without commas")
        raise column.error(index, f"{said}; fill the gap, remove the rows before it, or do without the column")
    return numbers


def _times(column: Column) -> pl.Series:
    """The column as times or numbers; DataError at the first row that is none."""
    column.check_filled()
    _check_single(column, "a time")
    values = column.values
    if values.dtype.is_temporal() or values.dtype.is_numeric():
        return _plain(values)
    if values.dtype == pl.String and values.str.contains(MONTH).all():
        values += "-01"
    numbers = values.cast(pl.Float64, strict=False)
    if not numbers.has_nulls() and _datetimes(values.head(LOOKED_AT)).is_null().all():
        return _plain(numbers)  # before all are held against every form of a date, a second for 100,000 rows
    times = _datetimes(values)
    if times.null_count() == len(times):
        times = numbers
    if times.null_count() and (index := column.first(times.is_null())) is not None:
        raise column.error(index, f"is {values[index]!r}, which is no time; write 2026-05-11 14:00:00")
    return _plain(times)


def _datetimes(values: pl.Series) -> pl.Series:
    """The values as datetimes, null where one is none."""
    try:
        return values.cast(pl.String).str.to_datetime(strict=False)
    except pl.exceptions.ComputeError:  # no format fits the first value
        return pl.Series(values.name, [None] * len(values), pl.Datetime)


def _check_single(column: Column, wanted: str) -> None:
    """Raise DataError where a column holds neither texts nor numbers nor times."""
    if kind(column.values.dtype) not in ("text", "number") and not column.values.dtype.is_temporal():
        raise column.error(0, f"holds {column.kind}, not {wanted} in each row")


def _plain(times: pl.Series) -> pl.Series:
    """Times that are all at midnight as dates, and numbers that are all whole as such."""
    if times.dtype.is_float() and (times.is_finite() & (times == times.round())).all():
        return times.cast(pl.Int64, strict=False) if times.abs().max() < 2**53 else times  # type: ignore[operator]
    if times.dtype == pl.Datetime and not times.dtype.time_zone and (times == times.dt.truncate("1d")).all():  # type: ignore[attr-defined]
        return times.cast(pl.Date)
    return times


def _check_steps(column: Column, track: Track, *, even: bool) -> None:
    """Raise DataError where a time goes back or, if times must be even, repeats, or where steps are left out."""
    times: Any = track.times
    of = f" of series {track.name!r}" if track.name else ""
    steps = _steps(times)
    usual = steps.mode().sort()[0]
    place = column.first(steps <= 0 * usual if even else steps < 0 * usual)
    if place is not None:
        index = int(track.rows[place + 1]) - 1
        again = steps[place] == 0 * usual
        clocks = ", or write times with their offset where clocks were put back" * (times.dtype == pl.Datetime)
        what = f"repeats the time {times[place]}{of}; keep one row{clocks}" if again else f"goes back in time{of}"
        raise column.error(index, what + "; sort the rows" * (not again))
    if not even:
        return
    if (months := _months(times)) is not None:
        steps = months.diff()[1:].cast(pl.String) + " months"
        usual = steps.mode().sort()[0]
    if (place := column.first(steps != usual)) is not None:
        index = int(track.rows[place + 1]) - 1
        raise column.error(
            index,
            f"comes {_span(steps[place])} after the row before{of}, where steps are {_span(usual)}; fill in what is "
            "missing, or give a table without this column if the order of its rows is all that counts",
        )


def _even(times: npt.NDArray[Any]) -> bool:
    """Whether all steps have the same length, forward in time: what there is to see of nearly every series."""
    steps = np.diff(times)
    return not len(steps) or bool((steps == steps[0]).all() and times[-1] > times[0])


def _steps(times: pl.Series) -> pl.Series:
    """The time from each row to the next; as 0.3 - 0.2 is not 0.1, steps that only rounding makes unequal are equal."""
    steps = times.diff()[1:]
    if not times.dtype.is_float():
        return steps
    numbers, found = times.to_numpy(), steps.to_numpy()
    usual = np.median(found)
    near = np.abs(found - usual) <= SAME * abs(usual) + 4 * np.spacing(np.abs(numbers).max())
    return pl.Series(np.where(near, usual, found))


def _span(step: Any) -> str:
    """A step in words: 3 days, not 3 days, 0:00:00."""
    return f"{step:.9g}" if isinstance(step, float) else str(step).removesuffix(", 0:00:00")


def _months(times: pl.Series) -> pl.Series | None:
    """The number of each time's month, where all are the first or all the last of different ones, at one hour.

    Steps of unequal length are meant there. None elsewhere.
    """
    if times.dtype not in (pl.Date, pl.Datetime) or len(times) < 2:
        return None
    months = times.dt.year().cast(pl.Int64) * 12 + times.dt.month()
    whole = (times.dt.day() == 1).all() or _last_of_month(times).all()
    at = times.cast(pl.Datetime).dt.time()
    return months if whole and at.n_unique() == 1 and (months.diff()[1:] != 0).all() else None


def _month(last: Any, months: int) -> Any:
    """The time so many months after one that is the first or the last of its month."""
    time = pl.Series([last])
    begin = time.dt.month_start().dt.offset_by(f"{months}mo")
    return (begin.dt.month_end() if _last_of_month(time).all() else begin)[0]


def _last_of_month(times: pl.Series) -> pl.Series:
    return times.dt.month_end().dt.day() == times.dt.day()
