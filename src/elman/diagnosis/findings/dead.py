"""Dead: ReLU units that are zero at every step of every row, through which no gradient passes."""

from elman.diagnosis.findings.words import part
from elman.diagnosis.result import Diagnosis, Finding

MOST = 0.5
"""Beside inputs of one sign, a quarter of the units of a healthy start are off."""


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
            "start anew with the recurrent matrix at the identity, the biases at zero and small input weights, at a "
            "lower rate and with clipping, since one large update can kill many units; or take tanh in place of ReLU, "
            "or an LSTM."
        ),
        change={"start": "identity", "clip": 1.0},
        layer=layer.name,
    )
