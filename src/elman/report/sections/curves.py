"""What happened during training: losses, learning rate, gradient norm and speed, with what one should see in them."""

import math
from typing import Any

import numpy as np

from elman.report import wording
from elman.report.charts import Axes, Chart, Line, Mark, draw, smooth
from elman.report.measures import LOSS_UNITS
from elman.report.record import Entry, Record, is_number
from elman.report.trend import trend

CROWD = 80
"""From so many points on, a noisy curve is drawn faintly below its running mean."""


def view(record: Record) -> dict[str, Any] | None:
    """The charts and sentences; None where fewer than two points were written."""
    loss = _loss_chart(record)
    small = [_rate_chart(record), _gradient_chart(record), _speed_chart(record)]
    charts = [chart for chart in small if chart]
    if not loss and not charts:
        return None
    sentences = [_trend(record), _smoothed(record), _above(record), _clipped(record), _lost(record)]
    return {
        "loss": loss,
        "charts": charts,
        "readings": [sentence for sentence in sentences if sentence],
        "validations": record.validations[:: max(1, math.ceil(len(record.validations) / 60))],
    }


def _column(entries: list[Entry], name: str) -> list[float]:
    """One number of each entry; not-a-number where it is absent."""
    return [float(entry[name]) if is_number(entry.get(name)) else math.nan for entry in entries]


def _finite(entries: list[Entry], name: str) -> tuple[list[float], list[float]]:
    """The steps and the numbers of the entries that have one."""
    kept = [entry for entry in entries if is_number(entry.get(name))]
    return _column(kept, "step"), _column(kept, name)


def _axes(record: Record, y_label: str, **bounds: Any) -> Axes:
    """Steps across, with the time that had passed below."""
    steps, seconds = _finite(record.points or record.validations, "seconds")
    if not steps:
        return Axes("step", y_label, **bounds)

    def time(step: float) -> str:
        return wording.brief_duration(float(np.interp(step, [0.0, *steps], [0.0, *seconds])))

    return Axes("step, and the time it took", y_label, below=time, **bounds)


def _noisy(record: Record, name: str, label: str, digits: int = 3) -> list[Line]:
    """A curve of the training points; with its running mean when there are many."""
    steps, values = _finite(record.points, name)
    if not values:
        return []
    if len(values) < CROWD:
        return [Line(label, steps, values, "train", wording.number(values[-1], digits))]
    mean = smooth(values, len(values) // 40)
    last = wording.number(float(mean[-1]), digits)
    return [Line("", steps, values, "train faint"), Line(label, steps, mean, "train", last)]


def _loss_chart(record: Record) -> Chart | None:
    steps, losses = _finite(record.validations, "valid_loss")
    lines = _noisy(record, "loss", "training")
    if losses:
        lines.append(Line("validation", steps, losses, "valid", wording.number(losses[-1], 3), dots=len(losses) <= 60))
    marks = [Mark(name, loss, value=wording.number(loss, 3)) for name, loss in _baselines(record)]
    return draw("Loss", _axes(record, LOSS_UNITS.get(str(record.get("task")), ""), high=_top(record)), lines, marks)


def _top(record: Record) -> float | None:
    """The upper end of the loss axis, where the first steps would otherwise press all others together."""
    training, validation = _finite(record.points, "loss")[1], _finite(record.validations, "valid_loss")[1]
    if not training:
        return None
    rest = [
        float(np.quantile(training, 0.95)),
        *validation,
        *(loss for _, loss in _baselines(record)),
    ]
    low = min([*training, *rest])
    top = max(rest) + 0.08 * (max(rest) - low)
    return top if low < top < max(training) else None


def _baselines(record: Record) -> list[tuple[str, float]]:
    """Name and loss of the baselines that have one."""
    found = record.baselines()
    return [(str(entry.get("name") or "baseline"), entry["loss"]) for entry in found if is_number(entry.get("loss"))]


def _rate_chart(record: Record) -> Chart | None:
    steps, rates = _finite(record.points, "rate")
    highest = wording.compact(max(rates)) if rates else ""
    return draw("Learning rate", _axes(record, "", low=0.0), [Line("at most", steps, rates, "train", highest)])


def _gradient_chart(record: Record) -> Chart | None:
    clip = _clip(record)
    marks = [Mark("clip", clip, value=wording.compact(clip))] if clip else []
    lines = _noisy(record, "gradient_norm", "before clipping" if clip else "norm", 2)
    return draw("Gradient norm", _axes(record, "", log=True), lines, marks)


def _speed_chart(record: Record) -> Chart | None:
    lines = _noisy(record, "symbols_per_second", f"{record.counted} per second", 0)
    return draw("Speed", _axes(record, "", low=0.0), lines)


def _clip(record: Record) -> float | None:
    clip = record.number("options", "clip")
    return clip if clip and clip > 0 else None


def _trend(record: Record) -> str:
    """Whether the validation loss was still falling, has settled or rises again."""
    found = trend(record)
    if found is None:
        return ""
    steps, losses = _finite(record.validations, "valid_loss")
    best = int(np.argmin(losses))
    lowest = f"Validation was lowest at step {wording.number(steps[best])} ({wording.number(losses[best], 3)})"
    return (
        lowest
        + {
            "rising": " and has risen since: the model learns its training data by heart.",
            "falling": ", at the end: it was still falling, longer training may help.",
            "settled": "; it has settled.",
        }[found]
    )


def _above(record: Record) -> str:
    if _top(record) is None:
        return ""
    highest, step = max(zip(*_finite(record.points, "loss")[::-1], strict=True))
    high, where = wording.number(highest, 2), wording.number(step)
    return f"A part of the training curve lies above the picture: at step {where} the loss was {high}."


def _smoothed(record: Record) -> str:
    if not record.number("options", "label_smoothing"):
        return ""
    return "The training loss counts label smoothing and dropout, the validation loss neither: it may lie far below."


def _clipped(record: Record) -> str:
    clip, norms = _clip(record), _finite(record.points, "gradient_norm")[1]
    if not clip or not norms:
        return ""
    part = sum(norm > clip for norm in norms) / len(norms)
    return f"The gradient was clipped in {wording.percent(part) if part else 'none'} of the steps shown."


def _lost(record: Record) -> str:
    lost = [e["step"] for e in record.points if any(not math.isfinite(v) for v in e.values() if isinstance(v, float))]
    return f"At step {wording.number(lost[0])} the loss or the gradient was no longer finite." if lost else ""
