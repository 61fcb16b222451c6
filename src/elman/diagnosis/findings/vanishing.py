"""Vanishing: the gradient of a loss falls so much on its way back that what lies there is not learnt from."""

import math

from elman.diagnosis.findings.holding import SHORT, holding
from elman.diagnosis.findings.words import factor, part, steps
from elman.diagnosis.result import Diagnosis, Finding, LayerDiagnosis

LEAST = 1e-3
"""At least this part has to arrive from the lag that is needed: ten half-lives."""

AT_ONCE = 0.3
"""Where the loss touches every step, no lag is known to be needed; a state that forgets this fast is no memory."""


def check(diagnosis: Diagnosis) -> Finding | None:
    """The layer whose gradient falls the most, as every layer has to carry it."""
    falling = [layer for layer in diagnosis.layers if _vanishes(layer)]
    if not falling or any(not _vanishes(layer) and layer.needed_lag >= SHORT for layer in diagnosis.layers):
        return None
    layer = min(falling, key=lambda each: each.decay_per_step)
    lag = max(layer.needed_lag, 1)
    rate, half = layer.decay_per_step, layer.half_life
    arrives = f"{part(rate**lag)} of it arrives {steps(lag)} before the loss"
    forgets = f"; an input moves the output by less than 1 % of the closest {steps(layer.horizon)} back"
    remedy = holding(layer)
    return Finding(
        problem="vanishing",
        evidence=(
            f"The gradient falls by the factor {factor(rate)} with every step back (half-life {steps(half)}), so that "
            f"{arrives}{forgets if 0 < layer.horizon < math.inf else ''}."
        ),
        meaning="What lies further back teaches the network next to nothing.",
        remedy=f"{remedy.words}; then train as before.{_otherwise(layer)}",
        change=remedy.change,
        layer=layer.name,
    )


def _vanishes(layer: LayerDiagnosis) -> bool:
    rate = layer.decay_per_step
    if layer.needed_lag < SHORT:
        return layer.stretch > SHORT and rate < AT_ONCE
    error = 0.0 if math.isnan(layer.decay_uncertainty) else layer.decay_uncertainty
    return min(rate + 2 * error, 1.0) ** layer.needed_lag < LEAST


def _otherwise(layer: LayerDiagnosis) -> str:
    """What helps a layer without gates over shorter lags."""
    if layer.cell == "rnn-relu":
        return " Over shorter lags, start the recurrent matrix at the identity and the biases at zero (IRNN)."
    if layer.cell == "rnn":
        return " Over shorter lags, start the recurrent matrix at an orthogonal one."
    return ""
