"""Exploding: the gradient grows on its way back, in all rows or, at a cliff, in a few."""

import math
import statistics

from elman.diagnosis.findings.holding import Remedy, if_needed
from elman.diagnosis.findings.words import factor, part, round_down, steps
from elman.diagnosis.result import Diagnosis, Finding, LayerDiagnosis

MOST = 100.0
"""So much growth over the sequence is too much."""

CLIFF = 100.0
"""At a cliff the steepest row has more than so many times the gradient of the middle one, and has grown so much more.

A row with a wrong label, among rows that are known well, has such a gradient where the loss comes in already.
"""


def check(diagnosis: Diagnosis) -> Finding | None:
    """The layer that grows the most; where none does, a cliff in some rows, which clipping cures."""
    growing = [layer for layer in diagnosis.layers if _grows(layer)]
    if growing:
        return _growth(diagnosis, max(growing, key=lambda each: each.decay_per_step))
    return _cliff(diagnosis) if any(_steepness(layer) > CLIFF for layer in diagnosis.layers) else None


def overflow(diagnosis: Diagnosis) -> Finding | None:
    """Growth that has left the finite numbers: then it is the cause, and no number that is not finite is."""
    where = diagnosis.non_finite
    if where is None or where.startswith(("the batch", "the weights", "what")):
        return None
    growing = [layer for layer in diagnosis.layers if layer.lyapunov_exponent * layer.stretch > math.log(MOST)]
    if not growing:
        return None
    layer = max(growing, key=lambda each: each.lyapunov_exponent)
    rate = math.exp(layer.lyapunov_exponent)
    remedy = _remedy(layer, rate, 1.0)
    return Finding(
        problem="exploding",
        evidence=(
            f"A change of the state grows by the factor {factor(rate)} with every step; over {steps(layer.stretch)} "
            f"that left the finite numbers: {where}."
        ),
        meaning="Nothing can be learnt from a number that is not finite.",
        remedy=remedy.words,
        change=remedy.change,
        layer=layer.name,
    )


def _growth(diagnosis: Diagnosis, layer: LayerDiagnosis) -> Finding:
    rate = layer.decay_per_step
    remedy = _remedy(layer, rate, round_down(_middle(diagnosis)))
    return Finding(
        problem="exploding",
        evidence=(
            f"The gradient grows by the factor {factor(rate)} with every step back, {_times(rate**layer.stretch)} over "
            f"the {steps(layer.stretch)}; the Lyapunov exponent is {layer.lyapunov_exponent:+.3f} a step, and the "
            f"gradient's norm {factor(diagnosis.gradient_norm)}."
        ),
        meaning="The farthest inputs drown all others, and one update can undo all that was learnt.",
        remedy=remedy.words,
        change=remedy.change,
        layer=layer.name,
    )


def _cliff(diagnosis: Diagnosis) -> Finding | None:
    layer = max(diagnosis.layers, key=_steepness)
    clip, steepest = round_down(_middle(diagnosis)), max(_beside_middle(layer.row_norms))
    share = sum(norm > 10 * statistics.median(layer.row_norms) for norm in layer.row_norms) / len(layer.row_norms)
    if diagnosis.clip is not None and diagnosis.clip <= 10 * _middle(diagnosis):
        return None
    return Finding(
        problem="exploding",
        evidence=(
            f"The steepest row's gradient is {_times(steepest)} the middle row's, and {part(share)} of the "
            f"rows have more than ten times that: the loss has a cliff, and nothing clips there."
        ),
        meaning="Training goes well until such a row comes, and is thrown far back by it.",
        remedy=f"clip the gradient's norm at {clip:g}, which leaves the gradients of most rows as they are.",
        change={"clip": clip},
        layer=layer.name,
    )


def _grows(layer: LayerDiagnosis) -> bool:
    rate = layer.decay_per_step
    error = 0.0 if math.isnan(layer.decay_uncertainty) else layer.decay_uncertainty
    if not rate - 2 * error > 1:
        return False
    return (layer.stretch - 1) * math.log(rate - 2 * error) > math.log(MOST)


def _steepness(layer: LayerDiagnosis) -> float:
    """The largest row's gradient beside the middle row's, as far as it has grown on its way back."""
    norms, growth = _beside_middle(layer.row_norms), _beside_middle(layer.row_growth)
    return max(map(min, norms, growth), default=0.0)


def _beside_middle(values: list[float]) -> list[float]:
    """Values beside the median of those that are finite; zeros for the others, and where that is zero."""
    middle = statistics.median([value for value in values if math.isfinite(value)] or [0.0])
    return [value / middle if middle > 0 and math.isfinite(value) else 0.0 for value in values]


def _middle(diagnosis: Diagnosis) -> float:
    """The gradient norm of the middle step or row."""
    return diagnosis.clipping.get(0.5, 1.0)


def _times(value: float) -> str:
    return f"{value:,.0f} times" if value < 1e6 else f"{value:.0e} times"


def _remedy(layer: LayerDiagnosis, rate: float, clip: float) -> Remedy:
    """Smaller recurrent weights for gates; gates for a layer without them."""
    limit, hold = min(clip, 1.0), if_needed(layer)
    clipping = f"clip the gradient's norm at {limit:g}"
    if layer.cell in ("lstm", "gru"):
        also = f"; {hold.words}" if hold.words else ""
        return Remedy(
            f"start the recurrent weights anew as orthogonal blocks, smaller by the factor {factor(rate)}, and "
            f"{clipping}{also}. Layer norm bounds them for good.",
            {"start": "orthogonal", "clip": limit, **hold.change},
        )
    start = "the identity" if layer.cell == "rnn-relu" else "an orthogonal matrix"
    alone = f"start the recurrent matrix at {start}, which neither grows nor shrinks, and {clipping}"
    if not hold.words:
        return Remedy(f"{alone}; a lower rate alone does not help.", {"start": "orthogonal", "clip": limit})
    return Remedy(
        f"{hold.words}, which bounds the state, and {clipping}. To stay without gates, {alone}.",
        {"clip": limit, **hold.change},
    )
