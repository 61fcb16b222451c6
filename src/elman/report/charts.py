"""Curves as geometry: where lines, ticks and levels lie in a picture, as the template `chart.html.j2` draws them.

The picture stretches to the page, its text does not: everything is placed in parts of the width and height, lines as
SVG paths with strokes that do not scale, and labels as HTML. So one picture is legible on a phone, on paper and in
the dark. It knows nothing of HTML, of colours and of runs.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from elman.report.wording import apart, compact

Floats = NDArray[np.float64]

WIDTH, HEIGHT = 1000, 400
POINTS = 500
"""About as many points are kept of a long curve as a screen can show."""
STYLES = ("layer0", "layer1", "layer2", "layer3")
"""Classes of the style sheet for several curves of one kind."""


@dataclass(frozen=True)
class Line:
    """A curve to draw; `style` is a class of the style sheet, `value` what the legend says of it."""

    name: str
    x: ArrayLike
    y: ArrayLike
    style: str
    value: str = ""
    dots: bool = False


@dataclass(frozen=True)
class Mark:
    """A horizontal line at a value: a baseline, a threshold."""

    name: str
    y: float
    style: str = "level"
    value: str = ""


@dataclass(frozen=True)
class Band:
    """What lies between two curves: an interval in which values are expected."""

    name: str
    x: ArrayLike
    low: ArrayLike
    high: ArrayLike
    style: str = "train"


@dataclass(frozen=True)
class Moment:
    """An upright line at a place of the x axis, with its name above the picture."""

    name: str
    x: float


@dataclass(frozen=True)
class Tick:
    """A label on an axis, at a percentage of its length from the left or from the top."""

    at: float
    label: str
    below: str = ""


@dataclass(frozen=True)
class Stroke:
    """A path in the WIDTH x HEIGHT picture, the style that it has, and its dots as (path, text)."""

    path: str
    style: str
    dots: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Chart:
    """Everything that the template needs."""

    title: str
    x_label: str
    y_label: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    strokes: list[Stroke]
    legend: list[tuple[str, str, str]]  # style, name, value
    moments: list[Tick]
    width: int = WIDTH
    height: int = HEIGHT


@dataclass(frozen=True)
class Scale:
    """Maps values from `low` to `high` to 0 to 1, by their logarithms if `log`."""

    low: float
    high: float
    log: bool = False

    def __call__(self, values: ArrayLike) -> Floats:
        """The places of values; not a number where there is none."""
        numbers = np.asarray(values, float)
        low, high = self.low, self.high
        if self.log:
            numbers = np.log(np.where(numbers > 0, numbers, np.nan))
            low, high = math.log(low), math.log(high)
        place: Floats = (np.where(np.isfinite(numbers), numbers, np.nan) - low) / (high - low)
        return place

    def ticks(self) -> list[float]:
        """About five round values between the ends."""
        return _log_ticks(self.low, self.high) if self.log else _linear_ticks(self.low, self.high)


@dataclass(frozen=True)
class Axes:
    """How the axes of a chart are labelled and bounded; bounds that are None follow the data."""

    x_label: str
    y_label: str
    log: bool = False
    low: float | None = None
    high: float | None = None
    below: Callable[[float], str] = field(default=lambda _: "")  # the second row of labels under the x axis
    x_ticks: Sequence[tuple[float, str, str]] | None = None  # place, label and second label, where they are not numbers


def draw(
    title: str,
    axes: Axes,
    lines: Sequence[Line],
    marks: Sequence[Mark] = (),
    bands: Sequence[Band] = (),
    moments: Sequence[Moment] = (),
) -> Chart | None:
    """Lay out a chart, bands below the lines; None where fewer than two points can be shown."""
    x = _values([line.x for line in lines], log=False)
    edges = [edge for band in bands for edge in (band.low, band.high)]
    y = _values([*(line.y for line in lines), *edges, [mark.y for mark in marks]], log=axes.log)
    shown = max((np.isfinite(Scale(0, 1)(line.y)).sum() for line in lines), default=0)
    if shown < 2 or len(np.unique(x)) < 2 or not len(y):
        return None
    across = Scale(0.0 if 0 < x.min() < 0.05 * x.max() else float(x.min()), float(x.max()))
    up = _vertical(y, axes)
    named = [
        *((line.style, line.name, line.value) for line in lines),
        *((mark.style, mark.name, mark.value) for mark in marks),
        *((f"{band.style} area", band.name, "") for band in bands),
    ]
    ticks = [(v, text, axes.below(v)) for v, text in _labelled(across)] if axes.x_ticks is None else axes.x_ticks
    return Chart(
        title=title,
        x_label=axes.x_label,
        y_label=axes.y_label,
        x_ticks=[Tick(_percent(across, v), text, below) for v, text, below in ticks],
        y_ticks=[Tick(100 - _percent(up, v), text) for v, text in _labelled(up)],
        strokes=[
            *(_area(band, across, up) for band in bands),
            *(_level(mark, up) for mark in marks),
            *(Stroke(f"M{float(across(m.x)) * WIDTH:.1f} 0V{HEIGHT}", "moment") for m in moments),
            *(_stroke(line, across, up) for line in lines),
        ],
        legend=[entry for entry in named if entry[1]],
        moments=[Tick(_percent(across, moment.x), moment.name) for moment in moments],
    )


def smooth(values: ArrayLike, width: int) -> Floats:
    """The mean over `width` neighbours of each value, itself in the middle.

    Near the start over fewer on both sides, so that a steep beginning keeps its place; at the end over those before.
    """
    numbers = np.asarray(values, float)
    total = np.concatenate([[0.0], np.cumsum(numbers)])
    place = np.arange(len(numbers))
    half = np.minimum(place, width // 2)
    first, last = place - half, np.minimum(place + half + 1, len(numbers))
    mean: Floats = (total[last] - total[first]) / (last - first)
    return mean


def thin(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Of a long curve, the smallest and the largest of each run of neighbours, so that no peak is lost."""
    if len(y) <= POINTS:
        return x, y
    kept = []
    for run in np.array_split(np.arange(len(y)), POINTS // 2):
        finite = run[np.isfinite(y[run])]
        if len(finite):
            kept += sorted({int(finite[np.argmin(y[finite])]), int(finite[np.argmax(y[finite])])})
        else:
            kept.append(int(run[0]))
    return x[kept], y[kept]


def _values(rows: list[ArrayLike], *, log: bool) -> Floats:
    """All finite values of several rows, for a logarithmic axis the positive ones."""
    flat: Floats = np.concatenate([np.empty(0), *(np.asarray(row, float).ravel() for row in rows)])
    kept: Floats = flat[np.isfinite(flat) & ((flat > 0) | (not log))]
    return kept


def _vertical(y: Floats, axes: Axes) -> Scale:
    """The upright scale: the data with some air, on a logarithmic one at least a third of a decade."""
    low = float(y.min()) if axes.low is None else axes.low
    high = float(y.max()) if axes.high is None else axes.high
    if axes.log:
        low, high = max(low, 1e-250), min(high, 1e250)
        span = math.log(high) - math.log(low)
        air = math.exp(max(0.04 * span, 0.05, 0.4 - span / 2))
        return Scale(low / air, high * air, log=True)
    air = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    return Scale(low - air if axes.low is None else low, high + air if axes.high is None else high)


def _percent(scale: Scale, value: float) -> float:
    return round(100 * float(scale(value)), 2)


def _linear_ticks(low: float, high: float) -> list[float]:
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= 0.999 * rough)
    return [i * step for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    if math.log10(high / low) > 2:
        stride = max(1, math.ceil((last - first) / 6))
        candidates = [10.0**power for power in range(first, last + 1) if power % stride == 0]
    else:
        candidates = [step * 10.0**power for power in range(first, last + 1) for step in (1, 2, 5)]
    return [value for value in candidates if low <= value <= high]


def _labelled(scale: Scale) -> list[tuple[float, str]]:
    ticks = scale.ticks()
    return list(zip(ticks, apart(ticks), strict=True))


def _stroke(line: Line, across: Scale, up: Scale) -> Stroke:
    x, y = thin(np.asarray(line.x, float), np.asarray(line.y, float))
    places = list(zip(across(x) * WIDTH, (1 - up(y)) * HEIGHT, strict=True))
    dots = [
        (f"M{a:.1f} {b:.1f}h.01", f"{compact(left)}: {right:.4g}")
        for (a, b), left, right in zip(places, x, y, strict=True)
        if line.dots and math.isfinite(b)
    ]
    return Stroke(_path(places), line.style, tuple(dots))


def _area(band: Band, across: Scale, up: Scale) -> Stroke:
    """The low curve from left to right, and the high one back."""
    x = across(band.x) * WIDTH
    rows = (zip(x, (1 - up(edge)) * HEIGHT, strict=True) for edge in (band.low, band.high))
    low, high = ([(a, b) for a, b in row if math.isfinite(a) and math.isfinite(b)] for row in rows)
    return Stroke(_path(low + high[::-1]) + "Z" * bool(low), f"{band.style} area")


def _level(mark: Mark, up: Scale) -> Stroke:
    height = (1 - float(up(mark.y))) * HEIGHT
    return Stroke(f"M0 {height:.1f}H{WIDTH}", mark.style)


def _path(places: list[tuple[float, float]]) -> str:
    """An SVG path through points; what is not a number leaves a gap."""
    parts, pen = [], "M"
    for x, y in places:
        if math.isfinite(x) and math.isfinite(y):
            parts.append(f"{pen}{x:.1f} {y:.1f}")
            pen = "L"
        else:
            pen = "M"
    return "".join(parts)
