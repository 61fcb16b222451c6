"""Sets of events as a piano roll: which events came at every time step, over how much they were expected."""

from typing import Any

from elman.report.charts import Tick
from elman.report.record import Record
from elman.report.shades import bars, shades

LABELS = 24
"""Events that are named beside a roll at most."""
BAR = 0.4
"""Of a cell's height, where an event came."""


def view(record: Record) -> dict[str, Any] | None:
    """Rows from all over the part that was scored."""
    rolls = [_roll(entry) for entry in record.each("roll") if _is_whole(entry)]
    return {"rolls": rolls} if rolls else None


def _roll(entry: dict[str, Any]) -> dict[str, Any]:
    """The events from bottom to top: a path for each level of what was expected, and one of bars where events came."""
    events = entry["events"][::-1]
    every = -(-len(events) // LABELS)
    return {
        "row": entry.get("row"),
        "width": len(events[0]["came"]),
        "height": len(events),
        "expected": shades([event["expected"] for event in events]),
        "came": bars([event["came"] for event in events], BAR),
        "labels": [
            Tick(round(100 * (height + 0.5) / len(events), 2), str(event["event"]))
            for height, event in enumerate(events)
            if (len(events) - 1 - height) % every == 0
        ],
    }


def _is_whole(entry: Any) -> bool:
    """Whether an entry has events with digits for as many steps each."""
    events = entry.get("events") if isinstance(entry, dict) else None
    if not isinstance(events, list) or not events or not all(isinstance(event, dict) for event in events):
        return False
    digits = [event.get(name) for event in events for name in ("expected", "came")]
    return all(isinstance(each, str) and each.isdecimal() for each in digits) and len(set(map(len, digits))) == 1
