"""How the gradient fades on its way back through time: one curve for each layer.

Bengio, Simard and Frasconi, Learning long-term dependencies with gradient descent is difficult, IEEE Transactions on
Neural Networks 5 (1994).
"""

from collections.abc import Sequence
from typing import Any

from elman.report.charts import Axes, Chart, Line, draw
from elman.report.record import Record, is_number

PART = 0.01
"""A state counts as out of reach when less than this part of the gradient arrives there."""


def view(record: Record) -> dict[str, Any] | None:
    """The two charts, with what they say in numbers."""
    last, every = _rows(record.get("gradient_flow", "last_step")), _rows(record.get("gradient_flow", "all_steps"))
    charts = [
        _chart("Loss on the last step only", "steps back from the loss", [row[::-1] for row in last]),
        _chart("Loss on all steps, as in training", "step within the window", every),
    ]
    if not any(charts):
        return None
    return {
        "charts": [chart for chart in charts if chart],
        "reach": [_reach(row[::-1]) for row in last] if len(last) > 1 else [],  # of one layer the verdict says it
        "verdict": record.get("gradient_flow", "verdict"),
        "window": record.get("gradient_flow", "window"),
    }


def _rows(rows: Any) -> list[list[float]]:
    """The rows of a table in run.json, what is no number as not-a-number."""
    if not isinstance(rows, list):
        return []
    return [[v if is_number(v) else float("nan") for v in row] for row in rows if isinstance(row, list) and row]


def _chart(title: str, x_label: str, rows: Sequence[Sequence[float]]) -> Chart | None:
    lines = [Line(f"layer {i}", range(len(row)), row, f"layer{(i - 1) % 4}") for i, row in enumerate(rows, 1)]
    return draw(title, Axes(x_label, "gradient norm |dL/dh|", log=True), lines)


def _reach(row: Sequence[float]) -> dict[str, Any]:
    """How many steps back the gradient first falls below PART of its largest, and how much arrives at the end."""
    largest = max((v for v in row if is_number(v)), default=0.0)
    below = [lag for lag, v in enumerate(row) if v < PART * largest]
    return {"lag": below[0] if below else None, "left": row[-1] / largest if largest else 0.0, "steps": len(row) - 1}
