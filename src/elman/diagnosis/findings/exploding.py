"""Exploding: the gradient grows on its way back, in all rows or, at a cliff, in a few."""

import math
import statistics

from elman.diagnosis.findings.words import factor, part, round_down, steps
from elman.diagnosis.result import Diagnosis, Finding, LayerDiagnosis

MOST = 1e3
"""Ten doublings over the sequence are too many."""

CLIFF = 100.0
"""At a cliff the steepest row has more than so many times the gradient of the middle one."""


def check(diagnosis: Diagnosis) -> Finding | None:
    """A cliff in some rows, which clipping cures; else the layer that grows the most."""
    if any(_steepness(layer) > CLIFF for layer in diagnosis.layers) and any(map(_grows, diagnosis.layers)):
        return _cliff(diagnosis)
    growing = [layer for layer in diagnosis.layers if _grows(layer)]
    if not growing:
        return None
    return _growth(diagnosis, max(growing, key=lambda each: each.decay_per_step))


def overflow(diagnosis: Diagnosis) -> Finding | None:
    """Growth that has left the finite numbers: then it is the cause, and no number that is not finite is."""
    where = diagnosis.non_finite
    if where is None or where.startswith(("the batch", "the weights", "what")):
        return None
    growing = [layer for layer in diagnosis.layers if layer.lyapunov_exponent * layer.steps > math.log(MOST)]
    if not growing:
        return None
    layer = max(growing, key=lambda each: each.lyapunov_exponent)
    rate = math.exp(layer.lyapunov_exponent)
    return Finding(
        problem="exploding",
        evidence=(
            f"A change of the state grows by the factor {factor(rate)} with every step; over {steps(layer.steps)} "
            f"that left the finite numbers: {where}."
        ),
        meaning="Nothing can be learnt from a number that is not finite.",
        remedy=_words(layer, rate, 1.0),
        change=_change(layer, 1.0),
        layer=layer.name,
    )


def _growth(diagnosis: Diagnosis, layer: LayerDiagnosis) -> Finding:
    rate, clip = layer.decay_per_step, round_down(_middle(diagnosis))
    return Finding(
        problem="exploding",
        evidence=(
            f"The gradient grows by the factor {factor(rate)} with every step back, {_times(rate**layer.steps)} over "
            f"the {steps(layer.steps)}; the Lyapunov exponent is {layer.lyapunov_exponent:+.3f} a step, and the "
            f"gradient's norm {factor(diagnosis.gradient_norm)}."
        ),
        meaning="The farthest inputs drown all others, and one update can undo all that was learnt.",
        remedy=_words(layer, rate, clip),
        change=_change(layer, clip),
        layer=layer.name,
    )


def _cliff(diagnosis: Diagnosis) -> Finding | None:
    layer = max(diagnosis.layers, key=_steepness)
    clip = round_down(_middle(diagnosis))
    share = sum(norm > 10 * statistics.median(layer.row_norms) for norm in layer.row_norms) / len(layer.row_norms)
    if diagnosis.clip is not None and diagnosis.clip <= 10 * _middle(diagnosis):
        return None
    return Finding(
        problem="exploding",
        evidence=(
            f"The steepest row's gradient is {_times(_steepness(layer))} the middle row's, and {part(share)} of the "
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
    return (layer.steps - 1) * math.log(rate - 2 * error) > math.log(MOST)


def _steepness(layer: LayerDiagnosis) -> float:
    """The largest row's gradient beside the middle row's."""
    norms = [norm for norm in layer.row_norms if math.isfinite(norm)]
    middle = statistics.median(norms) if norms else 0.0
    return max(norms) / middle if middle > 0 else 0.0


def _middle(diagnosis: Diagnosis) -> float:
    """The gradient norm of the middle step or row."""
    return diagnosis.clipping.get(0.5, 1.0)


def _times(value: float) -> str:
    return f"{value:,.0f} times" if value < 1e6 else f"{value:.0e} times"


def _words(layer: LayerDiagnosis, rate: float, clip: float) -> str:
    if layer.cell in ("rnn", "rnn-relu"):
        start = "the identity (IRNN), with small input weights" if layer.cell == "rnn-relu" else "an orthogonal matrix"
        return (
            f"start the recurrent matrix at {start}, which is smaller by the factor {factor(rate)} and neither grows "
            f"nor shrinks; and clip the gradient's norm at {min(clip, 1.0):g}, a lower rate alone does not help."
        )
    return (
        f"start the recurrent weights smaller by the factor {factor(rate)} (orthogonal blocks), and clip the "
        f"gradient's norm at {min(clip, 1.0):g}; layer norm bounds them for good."
    )


def _change(layer: LayerDiagnosis, clip: float) -> dict[str, object]:
    start = "identity" if layer.cell == "rnn-relu" else "orthogonal"
    return {"start": start, "clip": min(clip, 1.0)}
