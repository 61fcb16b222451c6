"""Forecasts over what came, for every target: some windows as pictures, and the figures."""

from typing import Any

import numpy as np

from elman.report.charts import Axes, Chart, Line, draw
from elman.report.record import Record, is_number

FIGURES = ("mse", "mae", "mase", "mae_original", "inside")
OF_SERIES = ("mase", "naive", "mae_original", "inside")


def view(record: Record) -> dict[str, Any] | None:
    """For each target its charts and figures; None where nothing was forecast."""
    targets, windows = record.get("forecasts", "targets"), record.get("forecasts", "windows")
    if not isinstance(targets, list) or not isinstance(windows, list):
        return None
    levels = record.get("forecasts", "levels")
    outer = [100 * level for level in (levels[0], levels[-1])] if _are_numbers(levels) else []
    between = (outer[1] - outer[0]) / 100 if outer else None
    found = []
    for target, pictures in zip(targets, windows, strict=False):
        if isinstance(target, dict) and isinstance(pictures, list):
            charts = [_chart(picture, k, outer) for k, picture in enumerate(pictures, 1)]
            figures = {name: target[name] for name in FIGURES if is_number(target.get(name))}
            name = str(target.get("target"))
            found.append({"name": name, "charts": [chart for chart in charts if chart], "figures": figures})
    if not found:
        return None
    return {"targets": found, "figures": FIGURES, "series": _series(record), "between": between}


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


def _chart(picture: Any, number: int, outer: list[float]) -> Chart | None:
    """One window: what was read and what came, the median, and the outermost quantiles."""
    if not isinstance(picture, dict) or not all(_are_numbers(picture.get(name)) for name in ("past", "future")):
        return None
    past, future, quantiles = picture["past"], picture["future"], picture.get("quantiles")
    if not isinstance(quantiles, list) or not quantiles or not all(_are_numbers(row) for row in quantiles):
        return None
    ahead = np.arange(1, len(future) + 1)
    low, high = (f"{level:g} %" for level in outer) if outer else ("low", "high")
    lines = [
        Line("what came", np.arange(1 - len(past), len(future) + 1), past + future, "valid"),
        Line(low, ahead, quantiles[0], "train faint"),
        Line(high, ahead, quantiles[-1], "train faint"),
        Line("forecast, median", ahead, quantiles[len(quantiles) // 2], "train"),
    ]
    of = f", {picture['series']}" if picture.get("series") else ""
    return draw(f"Window {number}{of}", Axes("time steps from now", ""), lines)


def _are_numbers(values: Any) -> bool:
    return isinstance(values, list) and bool(values) and all(map(is_number, values))
