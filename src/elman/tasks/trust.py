"""How far the probabilities of answers can be believed: how often answers are right that a network is so sure of.

It knows probabilities and what is right, and not what was answered.
"""

from typing import Any

import numpy as np

from elman.data.ragged import Array

BINS = 10
SURE = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


def trust(probabilities: Array, right: Array) -> dict[str, Any]:
    """Return the calibration of answers, and what is won by taking only the surest.

    Args:
        probabilities: (N,), what the network gives to its answers.
        right: (N,), whether they are.

    Returns:
        Their number; over bins of equal width how many answers each holds, and the means of what was said and of what
        was right; the expected calibration error (Naeini, Cooper & Hauskrecht 2015), the mean difference of these two
        over all answers; and for every threshold how many answers reach it, and how many of these are right.
    """
    said, hits = probabilities.astype(np.float64), right.astype(np.float64)
    place = np.minimum((said * BINS).astype(np.int64), BINS - 1)
    count, sure, good = (np.bincount(place, weights, BINS) for weights in (None, said, hits))
    there = np.flatnonzero(count)
    return {
        "answers": len(said),
        "right": int(hits.sum()),
        "said": float(said.mean()) if len(said) else None,
        "error": float(np.abs(sure - good).sum() / len(said)) if len(said) else None,
        "bins": [
            {"answers": int(count[k]), "said": float(sure[k] / count[k]), "right": float(good[k] / count[k])}
            for k in there
        ],
        "above": [
            {"sure": least, "answers": int((said >= least).sum()), "right": int(hits[said >= least].sum())}
            for least in SURE
        ],
    }
