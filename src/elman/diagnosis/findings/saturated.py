"""Saturated: gates or tanhs that stand at their limits, where the slope is nothing."""

from elman.diagnosis.findings.words import part
from elman.diagnosis.gates import Gate
from elman.diagnosis.result import Diagnosis, Finding, LayerDiagnosis

TANH, SHUT, ALL = 0.8, 0.9, 0.6
"""At least so many values of a tanh at its limits, of a sigmoid at its lower one, or of all nonlinearities together.

A sigmoid that stands open is no fault by itself: a forget gate that holds does.
"""


def check(diagnosis: Diagnosis) -> Finding | None:
    """The layer with the largest share."""
    found = [layer for layer in diagnosis.layers if _bounded(layer) and any(_shares(layer))]
    if not found:
        return None
    layer = max(found, key=_mean)
    shown = ", ".join(f"{gate.name} {part(gate.share)}" for gate in _bounded(layer))
    return Finding(
        problem="saturated",
        evidence=f"Values at the limits of their nonlinearity, where its slope is less than 4 % of the steepest: "
        f"{shown}.",
        meaning="There a change of the weights changes nothing, and no gradient passes.",
        remedy=_words(layer),
        change={"start": "default", "forget_bias": 1.0} if layer.cell == "lstm" else {"start": "default"},
        layer=layer.name,
    )


def _bounded(layer: LayerDiagnosis) -> list[Gate]:
    return [gate for gate in layer.gates if gate.function != "relu"]


def _shares(layer: LayerDiagnosis) -> tuple[bool, bool, bool]:
    gates = _bounded(layer)
    tanh = any(gate.share >= TANH for gate in gates if gate.function == "tanh")
    shut = any(gate.low >= SHUT for gate in gates if gate.function == "sigmoid")
    return tanh, shut, _mean(layer) >= ALL


def _mean(layer: LayerDiagnosis) -> float:
    gates = _bounded(layer)
    return sum(gate.share for gate in gates) / len(gates)


def _words(layer: LayerDiagnosis) -> str:
    bias = " with the forget gate's bias at 1" if layer.cell == "lstm" else ""
    return (
        f"start the layer's weights anew at torch's values, ±1/√H{bias}, and scale its inputs to a standard deviation "
        "of one; if training itself drove them there, lower the rate, or take layer norm, which keeps them in range."
    )
