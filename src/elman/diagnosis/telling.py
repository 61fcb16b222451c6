"""A diagnosis in words for a terminal, and as plain values for JSON.

It does not measure and does not judge.
"""

import dataclasses
import math
import textwrap
from typing import Any

from elman.diagnosis.result import Diagnosis, LayerDiagnosis

WIDTH, INDENT = 100, 3

HEALTHY = "No fault found: the gradient arrives where it is needed, and too few units or gates are stuck to matter."
UNTAUGHT = "No weight learns by what comes back through the recurrent layers, which says how far they remember."

UNBOUNDED = ("half_life", "horizon")
"""Numbers of which infinity is a value and not an accident."""


def as_dict(diagnosis: Diagnosis) -> dict[str, Any]:
    """All numbers, the findings and the layers; not-a-number and infinities as None, "infinite" where it is a value."""
    found: dict[str, Any] = _plain(dataclasses.asdict(diagnosis))
    for name in ("clipping", "truncation", "kept"):  # JSON has texts for keys
        found[name] = {f"{key:g}": value for key, value in found[name].items()}
    for values, layer in zip(found["layers"], diagnosis.layers, strict=True):
        values["saturation"], values["dead"] = _plain(layer.saturation), _plain(layer.dead)
        for name in UNBOUNDED:
            if getattr(layer, name) == math.inf:
                values[name] = "infinite"
    return found


def text(diagnosis: Diagnosis) -> str:
    """The findings, then what was measured."""
    lines = [line for number, finding in enumerate(diagnosis.findings, 1) for line in _wrapped(f"{number}. {finding}")]
    lines = lines or [HEALTHY if diagnosis.taught else UNTAUGHT]
    if diagnosis.layers:
        lines += ["", *_table(diagnosis.layers), *_called(diagnosis.layers)]
    lines += ["", f"loss {_number(diagnosis.loss)}, gradient norm {_number(diagnosis.gradient_norm)}"]
    if len(set(diagnosis.clipping.values())) > 1:  # one norm, as of a batch of one row, has no shares
        shares = ", ".join(
            f"{share:.0%} of the steps at {_number(value)}" for share, value in diagnosis.clipping.items()
        )
        lines.append(f"clipping would act on {shares}")
    if diagnosis.truncation:
        cosines = ", ".join(f"{window}: {cosine:.2f}" for window, cosine in diagnosis.truncation.items())
        lines.append(f"cosine of the truncated gradient to the whole one, by window: {cosines}")
    if diagnosis.trial is not None:
        trial = diagnosis.trial
        lines.append(f"one update at the rate {trial.rate:.3g}: loss {_number(trial.before)} to {_number(trial.after)}")
    return "\n".join(lines)


def _wrapped(text: str) -> list[str]:
    """Lines of WIDTH columns, indented but the first."""
    lines = [line for part in text.splitlines() for line in textwrap.wrap(part, WIDTH - INDENT)]
    return [line if number == 0 else " " * INDENT + line for number, line in enumerate(lines)]


def _table(layers: list[LayerDiagnosis]) -> list[str]:
    rows: list[tuple[str, ...]] = [
        ("layer", "factor per step back", "half-life", "horizon", "Lyapunov", "singular values", "at limits")
    ]
    rows += [_row(layer) for layer in layers]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _called(layers: list[LayerDiagnosis]) -> list[str]:
    """What the letters of the last column stand for, where cells say so."""
    words = {gate.name: gate.called for layer in layers for gate in layer.gates if gate.called}
    said = ", ".join(f"{name} ({called})" for name, called in words.items())
    return textwrap.wrap(f"at limits: shares of {said}", WIDTH) if words else []


def _row(layer: LayerDiagnosis) -> tuple[str, ...]:
    leading = [values[0] for values in layer.spectrum.values if values]
    return (
        f"{layer.name} ({layer.cell} {layer.hidden})" if layer.name != layer.cell else f"{layer.cell} {layer.hidden}",
        f"{_number(layer.decay_per_step)} ± {_number(layer.decay_uncertainty)}",
        _steps(layer.half_life),
        f"beyond {len(layer.input_by_lag) - 1}" if layer.horizon == math.inf else _steps(layer.horizon),
        "unknown" if math.isnan(layer.lyapunov_exponent) else f"{layer.lyapunov_exponent:+.3f}",
        f"up to {_number(max(leading, default=math.nan))}",
        ", ".join(f"{name} {_share(share)}" for name, share in layer.saturation.items()),
    )


def _steps(value: float) -> str:
    return "none" if value == math.inf else "unknown" if math.isnan(value) else f"{value:.3g}"


def _share(value: float) -> str:
    return "unknown" if math.isnan(value) else f"{value:.0%}"


def _number(value: float) -> str:
    return "unknown" if math.isnan(value) else f"{value:.4g}"


def _plain(value: Any) -> Any:
    """Values that JSON has."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
    return value
