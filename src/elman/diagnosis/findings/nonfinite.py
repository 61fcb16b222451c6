"""Non-finite: an infinity or not-a-number that growth along the sequence does not explain."""

from elman.diagnosis.result import Diagnosis, Finding


def check(diagnosis: Diagnosis) -> Finding | None:
    """The first place where it arose."""
    where = diagnosis.non_finite
    if where is None:
        return None
    return Finding(
        problem="non-finite",
        evidence=f"The first number that is not finite stands in {where}.",
        meaning="It spreads to everything that is computed from it, and the next update would spoil all weights.",
        remedy=_remedy(where),
        change={"restore": "weights"} if where.startswith("the weights") else {},
    )


def _remedy(where: str) -> str:
    if where.startswith("the batch"):
        return "leave that row out, or fill the gap, before training."
    if where.startswith("the weights"):
        return "go back to the last weights that were finite, lower the rate, and clip the gradient's norm at 1."
    if where.startswith("what"):
        return "look at the modules before this layer: a logarithm of zero, a division by zero, or a scale of zero."
    return "look at the loss and at what follows the layers for a logarithm or division of zero; train in float32."
