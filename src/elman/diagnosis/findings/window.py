"""Window too short: truncation cuts away most of a gradient that would still arrive."""

from elman.diagnosis.findings.words import part, steps
from elman.diagnosis.result import Diagnosis, Finding

COSINE, KEPT = 0.9, 0.5
"""At least so much of the whole gradient's direction, and of its size, has to be left."""


def check(diagnosis: Diagnosis) -> Finding | None:
    """By the truncated gradient at the window of the training, where it has one."""
    window = diagnosis.window
    if window is None or window not in diagnosis.truncation:
        return None
    cosine, kept = diagnosis.truncation[window], diagnosis.kept[window]
    if cosine >= COSINE and kept >= KEPT:
        return None
    length = max(layer.stretch for layer in diagnosis.layers)
    good = [w for w in diagnosis.truncation if diagnosis.truncation[w] >= COSINE and diagnosis.kept[w] >= KEPT]
    better = min((w for w in good if w > window), default=length)
    return Finding(
        problem="window-too-short",
        evidence=(
            f"Truncated to {steps(window)}, the gradient of the recurrent weights keeps {part(max(kept, 0.0))} of the "
            f"whole one over {steps(length)}, at a cosine of {cosine:.2f} to it."
        ),
        meaning="What the network should remember lies further back than the window lets it learn from.",
        remedy=f"lengthen the window to {better}: there most of the gradient is left.",
        change={"window": better},
    )
