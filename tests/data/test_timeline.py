"""Tracks of a table: times must go on, evenly where that is asked for, and what is wrong is told with its row."""

import datetime as dt
import re

import numpy as np
import pytest

from elman.data import tables, timeline
from elman.errors import DataError


def read(times, even=True, group=None):
    rows = [{"time": time, "load": float(k)} for k, time in enumerate(times)]
    if group is not None:
        rows = [row | {"place": place} for row, place in zip(rows, group, strict=True)]
    return timeline.tracks(tables.from_rows(rows, "t.csv"), ["load"], "time", group and "place", even=even)


DAY = dt.date(2024, 2, 28)
DAYS = [DAY + dt.timedelta(days=k) for k in range(5)]
BAD = {
    "the newest first": (DAYS[::-1], "row 2, column 'time' goes back in time; sort the rows"),
    "numbers, the largest first": ([3, 2, 1], "row 2, column 'time' goes back in time; sort the rows"),
    "one time for all": ([DAY] * 3, "row 2, column 'time' repeats the time 2024-02-28; keep one row"),
    "clocks that were put back": (
        ["2024-10-27 01:00:00", "2024-10-27 02:00:00", "2024-10-27 02:00:00"],
        "02:00:00; keep one row, or write times with their offset where clocks were put back",
    ),
    "the first day is missing": ([DAYS[0], *DAYS[2:]], "row 2, column 'time' comes 2 days after the row before, where"),
    "the last day but one is missing": ([*DAYS[:3], DAYS[4]], "row 4, column 'time' comes 2 days after the row before"),
    "a month is missing after the first": (
        ["2024-01", "2024-03", "2024-04", "2024-05"],
        "row 2, column 'time' comes 2 months after the row before, where steps are 1 months",
    ),
    "a number is missing": ([1, 2, 3, 5], "row 4, column 'time' comes 2 after the row before, where steps are 1"),
    "a step that is not the others'": (
        [0.1, 0.2, 0.3, 0.45],
        "row 4, column 'time' comes 0.15 after the row before, where steps are 0.1",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_times_that_do_not_go_on_evenly_are_told_with_their_row(name):
    times, message = BAD[name]
    with pytest.raises(DataError, match=re.escape(message)):
        read(times)


@pytest.mark.parametrize(
    "times",
    [DAYS, [1, 2, 3], [0.1, 0.2, 0.3], ["2024-01", "2024-02", "2024-03"], [DAY], [DAYS[0], DAYS[4]], [5.5, 7.25, 9.0]],
)
def test_times_that_go_on_evenly_are_taken(times):
    (track,) = read(times)
    assert len(track) == len(track.times) == len(times)


def test_numbers_written_as_texts_are_not_held_against_every_form_of_a_date(monkeypatch):
    looked_at, datetimes = [], timeline._datetimes
    monkeypatch.setattr(timeline, "_datetimes", lambda values: looked_at.append(len(values)) or datetimes(values))
    (track,) = read([str(k) for k in range(1000)])
    assert track.times.to_list() == [*range(1000)]
    assert looked_at == [timeline.LOOKED_AT]
    with pytest.raises(DataError, match="row 201, column 'time' is 'soon', which is no time"):
        read([*map(str, range(200)), "soon"])


def test_where_steps_may_be_uneven_times_must_only_not_go_back():
    (track,) = read([1, 1, 4, 4.5], even=False)
    assert track.times.to_list() == [1, 1, 4, 4.5]
    for times, row in (([1, 3, 2, 4], 3), ([2, 1], 2)):
        with pytest.raises(DataError, match=f"row {row}, column 'time' goes back in time; sort the rows"):
            read(times, even=False)


def test_each_series_has_times_of_its_own_and_is_named():
    first, second = read([1, 10, 2, 30, 3], group=["a", "b", "a", "b", "a"])
    assert (first.name, first.rows.tolist(), first.values.tolist()) == ("a", [1, 3, 5], [[0], [2], [4]])
    assert (second.name, second.rows.tolist(), second.times.to_list()) == ("b", [2, 4], [10, 30])
    with pytest.raises(DataError, match="row 4, column 'time' repeats the time 10 of series 'b'; keep one row"):
        read([1, 10, 2, 10, 3], group=["a", "b", "a", "b", "a"])


def test_a_cut_keeps_rows_values_and_times_together():
    (track,) = read(DAYS)
    part = track.cut(1, 4)
    assert (part.rows.tolist(), part.values.tolist()) == ([2, 3, 4], [[1], [2], [3]])
    assert part.times.to_list() == DAYS[1:4]
    assert part.after(2) == [DAYS[4], DAYS[4] + dt.timedelta(days=1)]


def test_without_times_steps_are_numbered():
    table = tables.from_rows([{"load": np.float64(k)} for k in range(3)], "t.csv")
    (track,) = timeline.tracks(table, ["load"], None, None)
    assert track.after(3) == [1, 2, 3]
    assert track.cut(1, 2).times is None


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1.0, 2.0], "t.csv, row 1, column 'load' holds numbers, not a number per time step"),
        ("", "t.csv, row 1, column 'load' is empty; fill the gap"),
        ("7 km", "t.csv, row 1, column 'load' is '7 km', not a finite number"),
        ("1,033", "t.csv, row 1, column 'load' is '1,033', not a finite number; write 1033, without commas"),
        (float("inf"), "t.csv, row 1, column 'load' is inf, not a finite number"),
    ],
)
def test_what_is_no_number_is_told_with_its_row(value, message):
    table = tables.from_rows([{"load": value}, {"load": value}], "t.csv")
    with pytest.raises(DataError, match=re.escape(message)):
        timeline.tracks(table, ["load"], None, None)
