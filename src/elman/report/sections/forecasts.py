"""Forecasts over what came, for every target: some windows as pictures, and the figures."""

import itertools
from typing import Any, TypeGuard

import numpy as np

from elman.report.charts import Axes, Band, Chart, Line, Moment, draw
from elman.report.record import Record, are_numbers, is_number, listed
from elman.report.times import labels, said
from elman.report.wording import number, percent

FIGURES = ("mse", "mae", "mase", "mae_original", "inside")
OFF = 0.05
"""By how much the share within an interval may differ from what it should be for it to be called right."""
OF_SERIES = ("mase", "naive", "mae_original", "inside")


def view(record: Record) -> dict[str, Any] | None:
    """For each target its charts and figures; None where nothing was forecast."""
    targets, windows = record.get("forecasts", "targets"), record.get("forecasts", "windows")
    if not isinstance(targets, list) or not isinstance(windows, list):
        return None
    levels = record.get("forecasts", "levels")
    levels = levels if _are_numbers(levels) else []
    between = levels[-1] - levels[0] if levels else None
    column, times = str(record.get("forecasts", "time") or "time"), record.each("forecasts", "times")
    found: list[dict[str, Any]] = []
    for target, pictures in itertools.zip_longest(targets, windows[: len(targets)]):
        if isinstance(target, dict):
            name, shown = str(target.get("target")), listed(pictures)
            charts = [
                _chart(picture, name, k, levels, (column, listed(own)))
                for k, (picture, own) in enumerate(itertools.zip_longest(shown, times[: len(shown)]), 1)
            ]
            charts += [_ahead(record.part("forecasts", "ahead"), len(found))] * bool(shown)
            figures = {name: target[name] for name in FIGURES if is_number(target.get(name))}
            found.append({"name": name, "charts": [chart for chart in charts if chart], "figures": figures})
    if not found:
        return None
    return {
        "targets": found,
        "figures": FIGURES,
        "series": _series(record),
        "between": between,
        "width": _width([target["figures"].get("inside") for target in found], between),
        "levels": levels,
        "below": _below(record.each("forecasts", "below"), [target["name"] for target in found], levels),
    }


def _width(inside: list[float | None], between: float | None) -> str:
    """Whether the widest interval holds as much as it says, over all targets."""
    known = [share for share in inside if share is not None]
    if between is None or not known:
        return ""
    share = sum(known) / len(known)
    held = f"The {_interval(0, between)} held {percent(share)} of what came: "
    if share < between - OFF:
        return held + "it is too narrow, so allow for more than it shows."
    return held + ("it is wider than it need be." if share > between + OFF else "it is as wide as it should be.")


def _below(rows: list[Any], names: list[str], levels: list[float]) -> list[tuple[str, list[float]]]:
    """For each target the share of what came at or below each quantile."""
    kept = [(name, row) for name, row in zip(names, rows, strict=False) if _are_numbers(row)]
    return [(name, row) for name, row in kept if len(row) == len(levels)]


def _ahead(ahead: dict[str, Any], target: int) -> Chart | None:
    """The error of one target by how far ahead it is forecast, beside what is naive."""
    lines, styles = [], iter(("train", "valid", "layer2"))
    for name, rows in ahead.items():
        own = rows[target] if isinstance(rows, list) and target < len(rows) else None
        if _are_numbers(own) and (style := next(styles, None)):
            said = number(sum(own) / len(own), 3)
            shown = "this model" if name == "network" else name
            lines.append(Line(shown, np.arange(1, len(own) + 1), own, style, said))
    return draw("Error by how far ahead", Axes("time steps ahead", str(ahead.get("unit") or ""), low=0.0), lines)


def _series(record: Record) -> dict[str, Any] | None:
    """How many of several series are forecast better than by their last season, and figures of some of them."""
    rows = record.get("forecasts", "series", "rows")
    counts = {name: record.number("forecasts", "series", name) for name in ("count", "measured", "better", "season")}
    if not isinstance(rows, list) or None in counts.values():
        return None
    shown = [
        (str(row.get("series")), [row[name] if is_number(row.get(name)) else None for name in OF_SERIES])
        for row in rows
        if isinstance(row, dict)
    ]
    return {"rows": shown, "all": len(shown) == counts["measured"], **counts}


def _chart(picture: Any, name: str, place: int, levels: list[float], when: tuple[str, list[Any]]) -> Chart | None:
    """One window: what was known, what came after, the median, and the intervals between the quantiles."""
    if not isinstance(picture, dict) or not all(_are_numbers(picture.get(name)) for name in ("past", "future")):
        return None
    past, future, quantiles = picture["past"], picture["future"], picture.get("quantiles")
    if not isinstance(quantiles, list) or not quantiles or not all(_are_numbers(row) for row in quantiles):
        return None
    ahead = np.arange(len(future) + 1)  # from now, which is known: so that a single step is a line, too
    fan = [[past[-1], *row] for row in quantiles]
    lines = [
        Line("known", np.arange(1 - len(past), 1), past, "known"),
        Line("what came", ahead, [past[-1], *future], "valid"),
        Line("forecast, median", ahead, fan[len(fan) // 2], "train"),
    ]
    column, times = when
    title = f"{name} of {picture['series']}" if picture.get("series") else name
    axes = Axes("time steps from now", "")
    if len(times) == len(past) + len(future) and (ticks := labels(times)) is not None:
        title += f", after {said(times[len(past) - 1], times)}"
        axes = Axes(column, "", x_ticks=[(k + 1 - len(past), label, below) for k, label, below in ticks])
    else:
        title += f", window {place}"
    return draw(title, axes, lines, bands=_bands(ahead, fan, levels), moments=[Moment("now", 0)])


def _bands(ahead: Any, fan: list[list[float]], levels: list[float]) -> list[Band]:
    """The intervals from each quantile to its opposite, the widest first."""
    named = levels if len(levels) == len(fan) else []
    return [
        Band(
            _interval(named[k], named[-1 - k]) if named else "interval",
            ahead,
            fan[k],
            fan[-1 - k],
            "train inner" if k else "train",
        )
        for k in range(len(fan) // 2)
    ]


def _interval(low: float, high: float) -> str:
    return f"{percent(high - low)} interval"


def _are_numbers(values: Any) -> TypeGuard[list[float]]:
    return bool(values) and are_numbers(values)
