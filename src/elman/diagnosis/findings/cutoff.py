"""Cut off: a layer, or all of the network, at which no gradient arrives at all, as behind a `.detach()`."""

from elman.diagnosis.findings.words import factor, steps
from elman.diagnosis.result import Diagnosis, Finding


def check(diagnosis: Diagnosis) -> Finding | None:
    """The whole network, or the first such layer where the loss has a gradient elsewhere."""
    if diagnosis.gradient_norm == 0:
        return Finding(
            problem="vanishing",
            evidence=f"The loss is {factor(diagnosis.loss)}, and its gradient is exactly zero at every weight.",
            meaning="There is nothing to learn from in this batch.",
            remedy=(
                "look at the loss: a mask that leaves nothing over, a clamp or a margin that is met everywhere, or "
                "outputs that are rounded."
            ),
        )
    if not diagnosis.gradient_norm > 0:
        return None
    layer = next((each for each in diagnosis.layers if not any(each.gradient_norm)), None)
    if layer is None:
        return None
    return Finding(
        problem="vanishing",
        evidence=(
            f"No gradient arrives at any of the {steps(layer.steps)} of this layer, while that of all weights has the "
            f"norm {factor(diagnosis.gradient_norm)}."
        ),
        meaning="The loss does not depend on what the layer computes, so that it learns nothing.",
        remedy=(
            "let the loss depend on its output: look between the two for .detach(), .data, .item(), .numpy() or "
            "torch.no_grad(), and for an output that is not used."
        ),
        layer=layer.name,
    )
