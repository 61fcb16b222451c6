"""What answers are worth beside the truth. It knows numbers of symbols, not what they stand for."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from elman.data.ragged import Array


def confusion(choices: Array, targets: Array, symbols: int) -> npt.NDArray[np.int64]:
    """Return how often each symbol (row) was answered by each (column), (V, V)."""
    counts = np.bincount(targets.astype(np.int64) * symbols + choices, minlength=symbols * symbols)
    return counts.reshape(symbols, symbols)


def confused(choices: Array, targets: Array) -> list[tuple[int, int, int]]:
    """Return (symbol, wrong answer, how often) of all that were confused, the most frequent first."""
    wrong = choices != targets
    pairs, counts = np.unique(np.stack([targets[wrong], choices[wrong]], 1), axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return [(int(i), int(j), int(count)) for (i, j), count in zip(pairs[order], counts[order], strict=True)]


def of_labels(choices: Array, targets: Array, symbols: int) -> dict[str, float]:
    """Return accuracy, and F1 averaged over the symbols that occur among targets or answers."""
    right = np.bincount(targets[choices == targets], minlength=symbols)
    seen = np.bincount(choices, minlength=symbols) + np.bincount(targets, minlength=symbols)
    f1 = 2 * right[seen > 0] / seen[seen > 0]
    return {"accuracy": float(right.sum() / max(1, len(targets))), "macro_f1": float(f1.mean()) if len(f1) else 0.0}


class Counts(NamedTuple):
    """How many there are, how many were answered, and how many of these answers are right."""

    truth: int = 0
    answered: int = 0
    right: int = 0


def spans(truth: Iterable[set[Any]], answered: Iterable[set[Any]]) -> dict[str, Counts]:
    """Count the spans of every row by kind; a span is right when start, end and kind are (Tjong Kim Sang 2002)."""
    counts: dict[str, list[int]] = {}
    for there, said in zip(truth, answered, strict=True):
        for k, found in enumerate((there, said, there & said)):
            for span in found:
                counts.setdefault(span.kind, [0, 0, 0])[k] += 1
    return {kind: Counts(*count) for kind, count in sorted(counts.items())}


def overall(counts: dict[str, Counts]) -> float:
    """Return F1 over the spans of all kinds together; 1 where there are none and none were answered."""
    truth, answered, right = (sum(column) for column in zip(*counts.values(), strict=True)) if counts else (0, 0, 0)
    return 2 * right / (truth + answered) if truth + answered else 1.0
