"""Axes of times: labels stand where calendars and clocks begin something, whatever the times are written like."""

import datetime as dt

import pytest

from elman.report.times import labels, said

BEGIN = dt.datetime(2025, 12, 30, 13)  # noqa: DTZ001 - as tables write times
HOURS = [str(BEGIN + dt.timedelta(hours=k)) for k in range(80)]


def test_days_are_labelled_where_they_begin_and_years_where_they_change():
    assert labels(HOURS) == [(11, "31 Dec", "2025"), (35, "1 Jan", "2026"), (59, "2 Jan", "")]
    assert [HOURS[k][11:] for k, *_ in labels(HOURS)] == ["00:00:00"] * 3


@pytest.mark.parametrize(
    ("step", "count", "expected"),
    [
        (dt.timedelta(minutes=1), 70, ["13:15", "13:30", "13:45", "14:00"]),
        (dt.timedelta(seconds=1), 70, ["13:00:15", "13:00:30", "13:00:45", "13:01:00"]),
        (dt.timedelta(hours=1), 30, ["18:00", "00:00", "06:00", "12:00", "18:00"]),
        (dt.timedelta(days=1), 30, ["5 Jan", "12 Jan", "19 Jan", "26 Jan"]),
        (dt.timedelta(days=7), 30, ["Jan", "Apr", "Jul"]),
        (dt.timedelta(days=365), 30, ["2030", "2035", "2040", "2045", "2050"]),
    ],
)
def test_any_step_has_few_round_labels(step, count, expected):
    assert [label for _, label, _ in labels([str(BEGIN + k * step) for k in range(count)])] == expected


def test_numbers_are_labelled_at_steps_that_are_round():
    assert labels(list(range(1990, 2021))) == [
        (0, "1990", ""),
        (10, "2000", ""),
        (20, "2010", ""),
        (30, "2020", ""),
    ]
    assert labels([0.5, 1.5, 2.5, 3.5]) == []


def test_dates_months_and_times_with_an_offset_are_read_and_words_are_not():
    assert labels(["2025-12-31", "2026-01-01", "2026-01-02"])[0] == (1, "1 Jan", "2026")
    assert labels(["2026-01-31 23:30:00+01:00", "2026-02-01 00:00:00+01:00"])[0][:2] == (1, "00:00")
    assert labels(["2026-01-31 23:30:00.123456789", "2026-02-01 00:00:00"]) is not None
    assert labels(["first", "second"]) is None
    assert labels(["2026-01-31"]) is None


def test_a_time_is_told_no_longer_than_it_must_be():
    assert said(HOURS[0], HOURS) == "2025-12-30 13:00"
    assert said("2025-12-30", ["2025-12-30"]) == "2025-12-30"
    assert said("2025-12-30 13:00:05", HOURS) == "2025-12-30 13:00:05"
    assert said(12.5, [12.5, 13.0]) == "12.5"
