"""Probabilities that can be taken at their word: scores divided by a temperature, one number found on held-out rows.

Label smoothing leaves a network less sure than it is right, and long training more so; the temperature mends both, and
changes no answer that is the most probable one. Source: Guo, Pleiss, Sun & Weinberger 2017, "On calibration of modern
neural networks".
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from elman.modalities.base import IGNORED
from elman.training.examples import VALIDATED, Examples

SPREAD = 0.5
"""Standard deviation of ln temperature before anything is seen: it keeps a few rows from saying much."""
FARTHEST, CLOSE, GOLDEN = 2.0, 1e-3, (math.sqrt(5) - 1) / 2
ANSWERS, NUMBERS = 20_000, 1 << 26
"""Answers of each output, from all over, that the temperature is found on, and the most scores that they may have."""


@torch.inference_mode()
def temperatures(network: Any, examples: Examples) -> dict[str, float]:
    """Return for each output the number by which dividing its scores makes the targets of these rows most probable.

    Args:
        network: with outputs by name, in evaluation mode.
        examples: that it did not learn from.

    """
    scores: dict[str, list[Tensor]] = {name: [] for name in examples.targets}
    targets: dict[str, list[Tensor]] = {name: [] for name in examples.targets}
    counts = dict.fromkeys(examples.targets, 0)
    share = min(1.0, VALIDATED / max(1, len(examples)))
    for rows in examples.in_order(VALIDATED):
        batch = examples.batch(rows)
        for name, found in network(batch.inputs, batch.lengths).items():
            there = batch.targets[name] != IGNORED
            expected = int(share * len(examples.targets[name].values))
            stride = max(1, expected // ANSWERS, expected * found.shape[-1] // NUMBERS)
            scores[name].append(found[there][::stride])
            targets[name].append(batch.targets[name][there][::stride])
            counts[name] += int(there.sum())
    return {name: _temperature(scores[name], targets[name], counts[name]) for name in scores}


def _temperature(scores: list[Tensor], targets: list[Tensor], count: int) -> float:
    """The most probable one for `count` answers, of which there are scores (N, V) and targets (N,), piece by piece.

    By golden-section search. In float64 all pieces at once would be a multiple of the scores.
    """
    seen = sum(map(len, targets))

    def cost(logarithm: float) -> float:
        pieces = zip(scores, targets, strict=True)
        losses = (F.cross_entropy(s.double() * math.exp(-logarithm), t, reduction="sum").item() for s, t in pieces)
        return count * sum(losses) / seen + logarithm**2 / (2 * SPREAD**2)

    low, high = -FARTHEST, FARTHEST
    while high - low > CLOSE:
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        low, high = (low, right) if cost(left) < cost(right) else (left, high)
    return math.exp((low + high) / 2)
