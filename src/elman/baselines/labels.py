"""Naive ways to give rows a label: the most frequent one, a linear model of words, the nearest row of training.

Labels are integers. It does not know what they stand for.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from elman.data.ragged import Array, Integers, Ragged

WORD = r"\w+|[^\w\s]"
STEPS = 32
MOST = 1 << 27
"""Numbers of the rows that are compared, all together: half a GB. Of more, fewer time steps are compared."""
BLOCK = 512
WITHOUT_SKLEARN = "not measured: it needs scikit-learn; pip install 'elman[baselines]'"


def most_frequent(labels: Array) -> int:
    """Return the label that occurs most often, of several the smallest."""
    return int(np.bincount(labels).argmax())


class LinearOnWords:
    """Logistic regression on the TF-IDF of words and of pairs of neighbouring words, in a text and in the one before.

    Args:
        texts: to learn from.
        labels: theirs, (N,).
        weights: how often each counts, (N,); once if absent.
        before: to each text the one before it, whose words are features of their own; none if absent.

    Raises:
        ImportError: scikit-learn is not installed.

    """

    def __init__(
        self, texts: Sequence[str], labels: Array, weights: Array | None = None, before: Sequence[str] = ()
    ) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression

        self._vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=WORD)
        self._model = LogisticRegression(C=30.0, max_iter=1000)
        self._vectorizer.fit([*texts, *before])
        self._model.fit(self._features(texts, before), labels, sample_weight=weights)

    def predict(self, texts: Sequence[str], before: Sequence[str] = ()) -> Integers:
        """Return the label of each text."""
        found: Integers = self._model.predict(self._features(texts, before)).astype(np.int64)
        return found

    def _features(self, texts: Sequence[str], before: Sequence[str]) -> Any:
        from scipy.sparse import hstack

        return hstack([self._vectorizer.transform(each) for each in (texts, before) if len(each)], "csr")


class LinearOnNumbers:
    """Logistic regression on numbers, as z-scores.

    Args:
        features: to learn from, (N, F).
        labels: theirs, (N,).

    Raises:
        ImportError: scikit-learn is not installed.

    """

    def __init__(self, features: Array, labels: Array) -> None:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        self._model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
        self._model.fit(features, labels)

    def predict(self, features: Array) -> Integers:
        """Return the label of each row."""
        found: Integers = self._model.predict(features).astype(np.int64)
        return found


def moments(rows: Ragged) -> npt.NDArray[np.float32]:
    """Return mean and deviation over time of every channel of rows (T, C), (B, 2 C)."""
    each = (row.astype(np.float32) for row in rows)
    return np.stack([np.concatenate([row.mean(0), row.std(0)]) for row in each])


def nearest_row(rows: Ragged, labels: Array, asked: Ragged) -> Integers:
    """Return for each row asked about the label of the nearest row, all stretched to the same number of time steps.

    Rows are (T, C); the distance is Euclid's over all steps and channels.
    """
    room = MOST // max(1, len(rows) * rows.values.shape[1])
    steps = int(min(STEPS, rows.lengths.max(), max(1, room)))
    known = resampled(rows, steps).reshape(len(rows), -1)
    squares = (known**2).sum(1)
    found = []
    for first in range(0, len(asked), BLOCK):
        block = resampled(asked, steps, first, first + BLOCK).reshape(-1, known.shape[1])
        found.append(labels[(squares - 2 * block @ known.T).argmin(1)])
    return np.concatenate(found).astype(np.int64)


def resampled(rows: Ragged, steps: int, first: int = 0, stop: int | None = None) -> npt.NDArray[np.float32]:
    """Return rows stretched or shortened to `steps` time steps by linear interpolation, (B, steps, C)."""
    chosen = np.arange(len(rows))[first:stop]
    lengths = rows.lengths[chosen]
    at = np.linspace(0, 1, steps) * (lengths - 1)[:, None]
    low = np.floor(at).astype(np.int64)
    high = np.minimum(low + 1, (lengths - 1)[:, None])
    share = (at - low)[:, :, None]
    begin = rows.starts[chosen][:, None]
    mixed: npt.NDArray[np.float32] = (
        rows.values[begin + low] * (1 - share) + rows.values[begin + high] * share
    ).astype(np.float32)
    return mixed


def most_frequent_by_key(keys: Sequence[str], labels: Array) -> dict[str, int]:
    """Return for each key the label that it has most often."""
    counts: dict[str, Counter[int]] = {}
    for key, label in zip(keys, labels.tolist(), strict=True):
        counts.setdefault(key, Counter())[label] += 1
    return {key: counter.most_common(1)[0][0] for key, counter in counts.items()}
