"""An axis of times: at which of many time steps it is labelled, and how, as people read calendars and clocks.

It knows times as a table wrote them, and nothing of what was measured at them.
"""

import datetime as dt
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from elman.report.charts import Scale
from elman.report.record import is_number
from elman.report.wording import apart

Label = tuple[int, str, str]
"""The number of a time step, its label, and what stands below where it changes: the day, the year."""

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
FRACTION = re.compile(r"(\.\d{6})\d+")
"""Fractions of seconds finer than Python's own."""


def _day(when: dt.datetime) -> str:
    return f"{when.day} {MONTHS[when.month - 1]}"


def _second(when: dt.datetime) -> str:
    return f"{when:%H:%M:%S}"


def _minute(when: dt.datetime) -> str:
    return f"{when:%H:%M}"


def _year(when: dt.datetime) -> str:
    return str(when.year)


def _month(when: dt.datetime) -> str:
    return MONTHS[when.month - 1]


def _months(count: int) -> Callable[[dt.datetime], Any]:
    """Pieces of the calendar, so many months long."""
    return lambda t: (12 * t.year + t.month - 1) // count


def _clock(seconds: int) -> Callable[[dt.datetime], Any]:
    """Pieces of the day, so many seconds long."""
    return lambda t: (t.date(), (t.hour * 3600 + t.minute * 60 + t.second) // seconds)


Rung = tuple[Callable[[dt.datetime], Any], Callable[[dt.datetime], str], Callable[[dt.datetime], str]]
RUNGS: tuple[Rung, ...] = (
    *((_clock(seconds), _second, _day) for seconds in (1, 5, 15, 30)),
    *((_clock(60 * minutes), _minute, _day) for minutes in (1, 5, 15, 30, 60, 180, 360, 720)),
    (lambda t: t.date(), _day, _year),
    (lambda t: t.toordinal() // 2, _day, _year),
    (lambda t: (t.toordinal() - 1) // 7, _day, _year),  # Mondays
    (lambda t: (t.toordinal() - 1) // 14, _day, _year),
    *((_months(count), _month, _year) for count in (1, 3, 6)),
    *((_months(12 * count), _year, lambda _: "") for count in (1, 2, 5, 10, 50, 100)),
)
"""From fine to coarse: in which piece of time a time lies, how its beginning is labelled, and what stands below."""
SECONDS, CLOCKS = 4, 12
"""How many of them are of seconds, and of the clock."""
MIDNIGHT = dt.time()
MOST = 5


def labels(times: Sequence[Any]) -> list[Label] | None:
    """At most MOST labels of evenly spaced time steps; None where their times are neither numbers nor dates.

    Numbers are labelled at round values, if these are steps; dates where an hour, a day, a month or a year begins.
    """
    if len(times) < 2:
        return None
    if all(map(is_number, times)):
        return _numbered(np.array(times, float))
    read = _read(times)
    if read is None:
        return None
    clocks = {when.time() for when in read}
    finest = 0 if any(time.second for time in clocks) else CLOCKS if clocks == {MIDNIGHT} else SECONDS
    for piece, label, below in RUNGS[finest:]:
        at = [k for k in range(1, len(read)) if piece(read[k]) != piece(read[k - 1])]
        if len(at) <= MOST:
            under = [below(read[k]) for k in at]
            shown = [text if text not in under[max(0, i - 1) : i] else "" for i, text in enumerate(under)]
            return [(k, label(read[k]), text) for k, text in zip(at, shown, strict=True)]
    return []


def said(time: Any, times: Sequence[Any]) -> str:
    """A time in words, no longer than it must be among others: without clock or seconds where all have none."""
    read = None if is_number(time) else _read([time, *times])
    if read is None:
        return _figures([time])[0] if is_number(time) else str(time)
    if all(when.time() == MIDNIGHT for when in read):
        return f"{read[0]:%Y-%m-%d}"
    return f"{read[0]:%Y-%m-%d %H:%M:%S}" if any(when.second for when in read) else f"{read[0]:%Y-%m-%d %H:%M}"


def _read(times: Sequence[Any]) -> list[dt.datetime] | None:
    """Texts as times on the clock that they name."""
    try:
        return [dt.datetime.fromisoformat(FRACTION.sub(r"\1", str(time))).replace(tzinfo=None) for time in times]
    except ValueError:
        return None


def _numbered(times: np.ndarray[Any, np.dtype[np.float64]]) -> list[Label] | None:
    if not times[-1] > times[0]:
        return None
    ticks = Scale(float(times[0]), float(times[-1])).ticks()
    places = [int(np.abs(times - tick).argmin()) for tick in ticks]
    step = (times[-1] - times[0]) / (len(times) - 1)
    on = [(k, tick) for k, tick in zip(places, ticks, strict=True) if abs(times[k] - tick) < 0.01 * step]
    kept = on[:: -(-len(on) // MOST)] if on else []
    return [(k, text, "") for (k, _), text in zip(kept, _figures([tick for _, tick in kept]), strict=True)]


def _figures(times: list[float]) -> list[str]:
    """Whole numbers without groups of thousands, since they may be years."""
    whole = all(float(time).is_integer() and abs(time) < 1e6 for time in times)
    return [f"{time:.0f}" for time in times] if whole else apart(times)
