"""What answers are worth beside the truth. It knows numbers of symbols, not what they stand for."""

import numpy as np
import numpy.typing as npt

from elman.data.ragged import Array


def confusion(choices: Array, targets: Array, symbols: int) -> npt.NDArray[np.int64]:
    """Return how often each symbol (row) was answered by each (column), (V, V)."""
    counts = np.bincount(targets.astype(np.int64) * symbols + choices, minlength=symbols * symbols)
    return counts.reshape(symbols, symbols)


def of_labels(choices: Array, targets: Array, symbols: int) -> dict[str, float]:
    """Return accuracy, and F1 averaged over the symbols that occur among targets or answers."""
    counts = confusion(choices, targets, symbols)
    right = np.diag(counts)
    seen = counts.sum(0) + counts.sum(1)
    f1 = 2 * right[seen > 0] / seen[seen > 0]
    return {"accuracy": float(right.sum() / max(1, len(targets))), "macro_f1": float(f1.mean()) if len(f1) else 0.0}
