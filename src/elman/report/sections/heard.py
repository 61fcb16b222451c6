"""Where in a recording each symbol was heard: the sound as a picture, and below it how probable the symbols were."""

import math
from typing import Any

from elman.report.charts import Axes, Chart, Line, draw
from elman.report.record import Record, are_numbers, has_lists, is_number, listed
from elman.report.shades import shades


def view(record: Record) -> dict[str, Any] | None:
    """The pictures, each with its symbols at percentages of the width."""
    shown = [_shown(entry) for entry in record.each("heard") if _is_whole(entry)]
    pictures = [picture for picture in shown if picture["chart"] is not None]
    return {"pictures": pictures} if pictures else None


def _shown(entry: dict[str, Any]) -> dict[str, Any]:
    symbols = zip(map(str, entry["symbols"]), entry["at"], strict=False)
    return {
        "row": entry.get("row"),
        "input": str(entry.get("input") or ""),
        "text": str(entry.get("text") or ""),
        "symbols": [(symbol, round(100 * at / entry["lasts"], 2)) for symbol, at in symbols],
        "chart": _chart(entry),
        "sound": _picture(entry.get("sound")),
    }


def _chart(entry: dict[str, Any]) -> Chart | None:
    """A curve for every symbol, and one for the blank, from the recording's beginning to its end."""
    times = [0.0, *entry["times"], entry["lasts"]]
    every = [("blank: none begins", entry["blank"], "level"), *(("", curve, "train") for curve in entry["curves"])]
    names = ["a symbol", *[""] * len(entry["curves"])]
    lines = [
        Line(name or names.pop(0), times, [math.nan, *curve, math.nan], style)
        for name, curve, style in every
        if len(curve) == len(entry["times"])
    ]
    return draw("Probability", Axes("seconds", "", low=0.0, high=1.0), lines)


def _picture(rows: Any) -> dict[str, Any] | None:
    """The loudness of every band, high ones above, as a path of bars for each level; None where there is none."""
    kept = [row for row in listed(rows) if isinstance(row, str) and row.isdecimal()]
    if not kept:
        return None
    return {"width": max(map(len, kept)), "height": len(kept), "paths": shades(kept[::-1])}


def _is_whole(entry: Any) -> bool:
    """Whether an entry has numbers where they are needed."""
    if not has_lists(entry, "symbols", "curves"):
        return False
    rows, lasts = [*(entry.get(name) for name in ("at", "times", "blank")), *entry["curves"]], entry.get("lasts")
    return all(map(are_numbers, rows)) and is_number(lasts) and lasts > 0
