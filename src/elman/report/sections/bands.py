"""Series with the tags of their time steps along them: the right ones, and the answers below."""

import itertools
from typing import Any

import numpy as np

from elman.report.charts import STYLES, Axes, Chart, Line, draw
from elman.report.record import Record, are_numbers, has_lists


def view(record: Record) -> dict[str, Any] | None:
    """Rows from all over the part that was scored."""
    shown = [_shown(entry) for entry in record.each("bands") if _is_whole(entry)]
    rows = [row for row in shown if row["chart"] is not None]
    return {"rows": rows} if rows else None


def _shown(entry: dict[str, Any]) -> dict[str, Any]:
    truth, answer = ([str(tag) for tag in entry[name]] for name in ("truth", "answer"))
    return {
        "row": entry.get("row"),
        "series": entry.get("series"),
        "chart": _chart(entry["channels"], entry.get("names")),
        "truth": _runs([(tag, True) for tag in truth]),
        "answer": _runs([(tag, tag == right) for tag, right in zip(answer, truth, strict=True)]),
    }


def _chart(channels: list[list[float]], names: Any) -> Chart | None:
    """A curve for each of the first channels, in standard deviations."""
    called = names if isinstance(names, list) and len(names) == len(channels) else None
    lines = [
        Line(str(called[k - 1]) if called else f"channel {k}", np.arange(len(values)), values, style)
        for k, (values, style) in enumerate(zip(channels, STYLES, strict=False), 1)
    ]
    return draw("Measured", Axes("time steps", "in standard deviations"), lines)


def _runs(tags: list[tuple[str, bool]]) -> list[dict[str, Any]]:
    """Neighbouring time steps with the same tag, all right or all wrong, at percentages of the width."""
    runs, begin, step = [], 0, 100 / max(1, len(tags) - 1)
    for (tag, right), group in itertools.groupby(tags):
        count = len(list(group))
        left, stop = max(0.0, (begin - 0.5) * step), min(100.0, (begin + count - 0.5) * step)
        runs.append({"tag": tag, "right": right, "left": round(left, 2), "width": round(stop - left, 2)})
        begin += count
    return runs


def _is_whole(entry: Any) -> bool:
    """Whether an entry has curves and as many tags as they have steps."""
    if not has_lists(entry, "truth", "answer", "channels") or not entry["channels"]:
        return False
    if not all(map(are_numbers, entry["channels"])):
        return False
    return len({len(entry["truth"]), len(entry["answer"]), *map(len, entry["channels"])}) == 1
