"""What the diagnosis found: findings with their remedies, and how gradients flow, layer by layer and while learning.

It reads what `Diagnosis.to_dict` has written, as plain values.
"""

import math
from typing import Any

import numpy as np

from elman.report.charts import STYLES, Axes, Chart, Line, Mark, draw
from elman.report.record import Entry, Record, is_number, listed
from elman.report.wording import compact, number, percent

COLUMNS = 120
"""At most so many cells side by side in the heat map; of several steps the mean of the logarithms is shown."""

MOST_LAYERS = 8


def view(record: Record) -> dict[str, Any] | None:
    """Everything of the diagnosis at the end, and of those while training."""
    found = of(record.part("diagnosis"))
    history = [chart for chart in _history(record.diagnoses) if chart]
    if found is None:
        return {"findings": None, "layers": [], "charts": [], "history": history} if history else None
    return found | {"history": history}


def of(diagnosis: Entry) -> dict[str, Any] | None:
    """What the template shows of one diagnosis; None where it is none."""
    layers = [layer for layer in listed(diagnosis.get("layers")) if isinstance(layer, dict)][:MOST_LAYERS]
    if not layers:
        return None
    return {
        "findings": [finding for finding in listed(diagnosis.get("findings")) if isinstance(finding, dict)],
        "taught": diagnosis.get("taught", True),
        "heat": _heat(layers),
        "charts": [chart for chart in (_lag(layers), _inputs(layers), _spectrum(layers)) if chart],
        "layers": [_row(layer) for layer in layers],
        "gates": [(layer.get("name"), [_gate(gate) for gate in listed(layer.get("gates"))]) for layer in layers],
        "sentences": [
            sentence for sentence in (_clipping(diagnosis), _truncation(diagnosis), _trial(diagnosis)) if sentence
        ],
        "history": [],
    }


def _heat(layers: list[Entry]) -> dict[str, Any] | None:
    """Cells by layer as (x, width, strength from 0 to 1), on one logarithmic scale."""
    rows = [(str(layer.get("name")), _columns(_numbers(layer.get("gradient_norm")))) for layer in layers]
    known = np.concatenate([values[np.isfinite(values)] for _, values in rows] or [np.empty(0)])
    if len(known) < 2:
        return None
    low, high = float(known.min()), float(known.max())
    span = max(high - low, 1.0)
    shown = [
        (
            name,
            [
                (round(1000 * i / len(values), 2), round(1000 / len(values) + 0.3, 2), _strength(v, high, span))
                for i, v in enumerate(values)
            ],
        )
        for name, values in rows
    ]
    steps = max(len(listed(layer.get("gradient_norm"))) for layer in layers)
    return {"rows": shown, "least": compact(10**low), "most": compact(10**high), "steps": steps}


def _strength(value: float, high: float, span: float) -> float | None:
    return round(1 - 0.95 * (high - value) / span, 3) if math.isfinite(value) else None


def _columns(norms: list[float]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The decimal logarithms of norms over time, in at most COLUMNS columns."""
    values = np.asarray(norms, float)
    logarithms = np.log10(np.where(values > 0, values, np.nan))
    pieces = np.array_split(logarithms, min(COLUMNS, max(1, len(logarithms))))
    return np.array(
        [float(piece[np.isfinite(piece)].mean()) if np.isfinite(piece).any() else np.nan for piece in pieces]
    )


def _lag(layers: list[Entry]) -> Chart | None:
    """The gradient by lag, with the fitted rate as a faint straight line."""
    lines = []
    for place, layer in enumerate(layers):
        norms = np.asarray(_numbers(layer.get("gradient_norm_by_lag")), float)
        rate, style = layer.get("decay_per_step"), STYLES[place % len(STYLES)]
        said = f"× {number(rate, 3)} a step" if is_number(rate) else ""
        lines.append(Line(str(layer.get("name")), np.arange(len(norms)), norms, style, said))
        fitted = _fitted(norms, rate)
        if fitted is not None:
            lines.append(Line("", np.arange(len(norms)), fitted, f"{style} level"))
    return draw("Gradient by lag, and the fitted rate", Axes("steps back from the loss", "|dL/ds|", log=True), lines)


def _fitted(norms: np.ndarray[Any, np.dtype[np.float64]], rate: Any) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    known = np.isfinite(norms) & (norms > 0)
    if not is_number(rate) or rate <= 0 or known.sum() < 2:
        return None
    lags = np.arange(len(norms))
    level = np.mean(np.log(norms[known]) - math.log(rate) * lags[known])
    line = level + math.log(rate) * lags
    fitted: np.ndarray[Any, np.dtype[np.float64]] = np.exp(np.clip(line, -500, 500))
    return np.where(lags <= lags[known].max(), fitted, np.nan)


def _inputs(layers: list[Entry]) -> Chart | None:
    lines, marks = [], [Mark("1 % of the closest input", 0.01)]
    for place, layer in enumerate(layers):
        moved = np.asarray(_numbers(layer.get("input_by_lag")), float)
        if len(moved) and moved[0] > 0:
            said = f"horizon {_steps(layer.get('horizon'), len(moved))}"
            lines.append(
                Line(str(layer.get("name")), np.arange(len(moved)), moved / moved[0], STYLES[place % len(STYLES)], said)
            )
    return draw(
        "How much an input moves the output", Axes("steps back", "of the closest input", log=True), lines, marks
    )


def _spectrum(layers: list[Entry]) -> Chart | None:
    lines = []
    for place, layer in enumerate(layers):
        spectrum = layer.get("spectrum")
        spectrum = spectrum if isinstance(spectrum, dict) else {}
        steps, values = _numbers(spectrum.get("steps")), [_numbers(v) for v in listed(spectrum.get("values"))]
        if not steps or len(values) != len(steps):
            continue
        style = STYLES[place % len(STYLES)]
        for k in range(max(map(len, values))):
            name = f"{layer.get('name')}, leading" if k == 0 else ""
            row = [v[k] if k < len(v) else math.nan for v in values]
            said = number(max(row), 2) if k == 0 else ""
            lines.append(Line(name, steps, row, style if k == 0 else f"{style} faint", said))
    return draw(
        "Singular values of the step's Jacobian", Axes("step", ""), lines, [Mark("one: neither grows nor shrinks", 1.0)]
    )


def _gate(gate: Any) -> dict[str, Any]:
    gate = gate if isinstance(gate, dict) else {}
    bars = _numbers(gate.get("histogram"))
    highest = max((bar for bar in bars if math.isfinite(bar)), default=0.0) or 1.0
    low, high = gate.get("low"), gate.get("high")
    share = percent(low + high) if is_number(low) and is_number(high) else "unknown"
    edges = _numbers(gate.get("edges")) or [0.0, 1.0]
    limits = "at zero" if gate.get("function") == "relu" else "at the limits"
    return {
        "name": gate.get("name"),
        "called": str(gate.get("called") or ""),
        "function": gate.get("function"),
        "share": f"{share} {limits}",
        "dead": percent(gate["dead"]) if gate.get("function") == "relu" and is_number(gate.get("dead")) else "",
        "bars": [(i, round(38 * bar / highest, 2)) for i, bar in enumerate(bars) if math.isfinite(bar)],
        "count": max(1, len(bars)),
        "edges": [compact(edge) if math.isfinite(edge) else "" for edge in (*edges, math.nan, math.nan)],
    }


def _row(layer: Entry) -> dict[str, str]:
    measured = len(_numbers(layer.get("input_by_lag")))
    error = layer.get("decay_uncertainty")
    return {
        "name": str(layer.get("name")),
        "kind": f"{layer.get('cell')}, {layer.get('hidden')}",
        "rate": _figure(layer.get("decay_per_step")) + (f" ± {_figure(error)}" if is_number(error) else ""),
        "half_life": _steps(layer.get("half_life"), None),
        "horizon": _steps(layer.get("horizon"), measured or None),
        "lyapunov": f"{layer['lyapunov_exponent']:+.3f}" if is_number(layer.get("lyapunov_exponent")) else "–",
    }


def _figure(value: Any) -> str:
    return "–" if not is_number(value) else f"{value:.4f}" if 1e-4 <= abs(value) < 1e4 or value == 0 else f"{value:.0e}"


def _steps(value: Any, length: float | None) -> str:
    if value == "infinite":
        return "none" if length is None else f"beyond {length - 1:.0f}"
    return f"{value:.3g}" if is_number(value) else "–"


def _clipping(diagnosis: Entry) -> str:
    pairs = _pairs(diagnosis, "clipping")
    if len({value for _, value in pairs}) < 2:  # one norm, as of a batch of one row, has no shares
        return ""
    said = ", ".join(f"{percent(float(share))} of the steps at {compact(value)}" for share, value in pairs)
    return f"Clipping the gradient's norm would act on {said}."


def _truncation(diagnosis: Entry) -> str:
    said = ", ".join(f"{cosine:.2f} with a window of {window}" for window, cosine in _pairs(diagnosis, "truncation"))
    return f"The truncated gradient's cosine to the whole one is {said}." if said else ""


def _pairs(diagnosis: Entry, name: str) -> list[tuple[str, float]]:
    """Numbers by number, as JSON has them: under texts."""
    found = diagnosis.get(name)
    items = found.items() if isinstance(found, dict) else ()
    return [(key, value) for key, value in items if is_number(value) and key.replace(".", "", 1).isdecimal()]


def _trial(diagnosis: Entry) -> str:
    trial = diagnosis.get("trial")
    if not isinstance(trial, dict) or not (is_number(trial.get("before")) and is_number(trial.get("rate"))):
        return ""
    after = number(trial["after"], 4) if is_number(trial.get("after")) else "a number that is not finite"
    before = number(trial["before"], 4)
    return f"One update at the rate {compact(trial['rate'])} takes this batch's loss from {before} to {after}."


def _history(diagnoses: list[Entry]) -> list[Chart | None]:
    """How the rate and the horizon changed over training, a line for each layer."""
    steps = [entry["step"] for entry in diagnoses]
    seen = [[layer for layer in listed(entry.get("layers")) if isinstance(layer, dict)] for entry in diagnoses]
    names = list(dict.fromkeys(str(layer.get("name")) for layers in seen for layer in layers))[:MOST_LAYERS]

    def chart(title: str, key: str, label: str, marks: list[Mark]) -> Chart | None:
        lines = []
        for place, name in enumerate(names):
            rows: list[Entry] = [next((x for x in layers if str(x.get("name")) == name), {}) for layers in seen]
            values = [_bounded(row.get(key), row.get("steps")) for row in rows]
            lines.append(Line(name, steps, values, STYLES[place % len(STYLES)], dots=len(steps) <= 60))
        return draw(title, Axes("training step", label), lines, marks)

    return [
        chart("Factor per step of lag, while learning", "decay_per_step", "", [Mark("one", 1.0)]),
        chart("Horizon, while learning", "horizon", "steps", []),
    ]


def _bounded(value: Any, steps: Any) -> float:
    """A number; what lies beyond the window counts as the window."""
    if value == "infinite":
        return float(steps) if is_number(steps) else math.nan
    return float(value) if is_number(value) else math.nan


def _numbers(values: Any) -> list[float]:
    return [float(value) if is_number(value) else math.nan for value in listed(values)]
