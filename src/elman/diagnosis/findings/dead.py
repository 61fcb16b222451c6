"""Dead: ReLU units that are zero at every step of every row, through which no gradient passes."""

from elman.diagnosis.findings.holding import holding
from elman.diagnosis.findings.words import part
from elman.diagnosis.result import Diagnosis, Finding

MOST = 0.6
"""Beside inputs of one sign, up to half of the units of a healthy start are off."""


def check(diagnosis: Diagnosis) -> Finding | None:
    """The layer with the most dead units."""
    if not diagnosis.layers:
        return None
    layer = max(diagnosis.layers, key=lambda each: each.dead)
    if layer.dead < MOST:
        return None
    return Finding(
        problem="dead",
        evidence=f"{part(layer.dead)} of the {layer.hidden} ReLU units are zero at every step of every row.",
        meaning="A unit that is always zero passes no gradient, so that it never comes back to life by itself.",
        remedy=(
            f"leave ReLU off: {holding(layer).words}. To stay with ReLU, start anew with the recurrent matrix at the "
            "identity, the biases at zero and small input weights, at a lower rate and with clipping, since one large "
            "update can kill many units."
        ),
        change=holding(layer).change,
        layer=layer.name,
    )
