"""Saturated: gates or tanhs that stand at their limits, where the slope is nothing."""

from elman.diagnosis.findings.holding import if_needed
from elman.diagnosis.findings.words import part
from elman.diagnosis.gates import Gate
from elman.diagnosis.result import Diagnosis, Finding, LayerDiagnosis

TANH, SHUT, ALL = 0.9, 0.9, 0.6
"""At least so many values of a tanh at its limits, of a sigmoid shut, or of all nonlinearities together at theirs.

A sigmoid at a limit is no fault by itself: a forget gate that holds stands open, and its input gate nearly shut.
"""


def check(diagnosis: Diagnosis) -> Finding | None:
    """The layer with the largest share."""
    found = [layer for layer in diagnosis.layers if _bounded(layer) and any(_shares(layer))]
    if not found:
        return None
    layer = max(found, key=_mean)
    shown = ", ".join(f"{gate.words} {part(gate.share)}" for gate in _bounded(layer))
    return Finding(
        problem="saturated",
        evidence=f"Values at the limits of their nonlinearity, where its slope is less than 4 % of the steepest: "
        f"{shown}.",
        meaning="There a change of the weights changes nothing, and no gradient passes.",
        remedy=_words(layer),
        change={"start": "default", **if_needed(layer).change},
        layer=layer.name,
    )


def _bounded(layer: LayerDiagnosis) -> list[Gate]:
    return [gate for gate in layer.gates if gate.function != "relu"]


def _shares(layer: LayerDiagnosis) -> tuple[bool, bool, bool]:
    gates = _bounded(layer)
    tanh = any(gate.share >= TANH for gate in gates if gate.function == "tanh")
    shut = any(gate.shut >= SHUT for gate in gates if gate.function == "sigmoid")
    return tanh, shut, _mean(layer) >= ALL


def _mean(layer: LayerDiagnosis) -> float:
    gates = _bounded(layer)
    return sum(gate.share for gate in gates) / len(gates)


def _words(layer: LayerDiagnosis) -> str:
    hold = if_needed(layer).words
    return (
        "start the layer's weights anew at torch's values, ±1/√H, and scale its inputs to a standard deviation of one"
        f"{'; ' + hold if hold else ''}. If training itself drove them there, lower the rate, or take layer norm, "
        "which keeps them in range."
    )
