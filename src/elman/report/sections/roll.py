"""Sets of events as a piano roll: which events came at every time step, over how much they were expected."""

import itertools
from typing import Any

from elman.report.charts import Tick
from elman.report.record import Record

LABELS = 24
"""Events that are named beside a roll at most."""
BAR = 0.4
"""Of a cell's height, where an event came."""
LEVELS = "123456789"


def view(record: Record) -> dict[str, Any] | None:
    """Rows from all over the part that was scored."""
    found = record.get("roll")
    rolls = [_roll(entry) for entry in found if _is_whole(entry)] if isinstance(found, list) else []
    return {"rolls": rolls} if rolls else None


def _roll(entry: dict[str, Any]) -> dict[str, Any]:
    """The events from bottom to top: a path for each level of what was expected, and one of bars where events came."""
    events = entry["events"][::-1]
    expected, came = dict.fromkeys(LEVELS, ""), ""
    for height, event in enumerate(events):
        for level, place, width in _runs(event["expected"]):
            if level in expected:
                expected[level] += f"M{place} {height}h{width}v1h-{width}z"
        for mark, place, width in _runs(event["came"]):
            if mark == "1":
                came += f"M{place} {height + (1 - BAR) / 2:.1f}h{width}v{BAR}h-{width}z"
    every = -(-len(events) // LABELS)
    return {
        "row": entry.get("row"),
        "width": len(events[0]["came"]),
        "height": len(events),
        "expected": [(round(int(level) / 9, 2), path) for level, path in expected.items() if path],
        "came": came,
        "labels": [
            Tick(round(100 * (height + 0.5) / len(events), 2), str(event["event"]))
            for height, event in enumerate(events)
            if (len(events) - 1 - height) % every == 0
        ],
    }


def _runs(digits: str) -> list[tuple[str, int, int]]:
    """Neighbouring steps of one digit: the digit, where they begin, how many there are."""
    runs, place = [], 0
    for digit, group in itertools.groupby(digits):
        width = len(list(group))
        runs.append((digit, place, width))
        place += width
    return runs


def _is_whole(entry: Any) -> bool:
    """Whether an entry has events with digits for as many steps each."""
    events = entry.get("events") if isinstance(entry, dict) else None
    if not isinstance(events, list) or not events or not all(isinstance(event, dict) for event in events):
        return False
    digits = [event.get(name) for event in events for name in ("expected", "came")]
    return all(isinstance(each, str) and each.isdecimal() for each in digits) and len(set(map(len, digits))) == 1
