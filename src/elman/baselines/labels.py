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
ASKED = 1 << 14
MOST_LABELS, MOST_WEIGHTS = 1000, 1 << 24
"""Labels, and labels times features, that logistic regression is fitted to; its optimizer takes 200 bytes a weight."""


class NotMeasuredError(Exception):
    """A naive way cannot be followed here; the text says why, behind its name and a colon."""


def most_frequent(labels: Array) -> int:
    """Return the label that occurs most often, of several the smallest."""
    return int(np.bincount(labels).argmax())


class LinearOnWords:
    """Logistic regression on the TF-IDF of words and of pairs of neighbouring words, in a text and in the one before.

    Of more words and pairs than there is room for it sees those that are most frequent.

    Args:
        texts: to learn from.
        labels: theirs, (N,).
        weights: how often each counts, (N,); once if absent.
        before: to each text the one before it, whose words are features of their own; none if absent.

    Raises:
        NotMeasuredError: scikit-learn is not installed, or there are too many labels.

    """

    def __init__(
        self, texts: Sequence[str], labels: Array, weights: Array | None = None, before: Sequence[str] = ()
    ) -> None:
        self._model = _logistic_regression(30.0, labels)
        from sklearn.feature_extraction.text import TfidfVectorizer

        room = MOST_WEIGHTS // len(np.unique(labels)) // (2 if len(before) else 1)
        self._vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=WORD, max_features=room)
        self._vectorizer.fit([*texts, *before])
        self._model.fit(self._features(texts, before), labels, sample_weight=weights)

    def predict(self, texts: Sequence[str], before: Sequence[str] = ()) -> Integers:
        """Return the label of each text."""
        parts = [slice(first, first + ASKED) for first in range(0, len(texts), ASKED)]
        found = [self._model.predict(self._features(texts[part], before[part])) for part in parts]
        return np.concatenate([np.empty(0), *found]).astype(np.int64)

    def _features(self, texts: Sequence[str], before: Sequence[str]) -> Any:
        from scipy.sparse import hstack

        return hstack([self._vectorizer.transform(each) for each in (texts, before) if len(each)], "csr")


class LinearOnNumbers:
    """Logistic regression on numbers, as z-scores.

    Args:
        features: to learn from, (N, F).
        labels: theirs, (N,).

    Raises:
        NotMeasuredError: scikit-learn is not installed, or there are too many labels.

    """

    def __init__(self, features: Array, labels: Array) -> None:
        model = _logistic_regression(0.01, labels)
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        self._model = make_pipeline(StandardScaler(), model)
        self._model.fit(features, labels)

    def predict(self, features: Array) -> Integers:
        """Return the label of each row."""
        found: Integers = self._model.predict(features).astype(np.int64)
        return found


def _logistic_regression(freedom: float, labels: Array) -> Any:
    """An unfitted model; of a single label, which scikit-learn refuses to fit, one that always gives this."""
    try:
        from sklearn.dummy import DummyClassifier
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise NotMeasuredError("not measured: it needs scikit-learn; pip install 'elman[baselines]'") from error
    if len(np.unique(labels)) > MOST_LABELS:
        raise NotMeasuredError(f"left out, as there are more than {MOST_LABELS:,} labels")
    single = (labels == labels[:1]).all()
    return DummyClassifier() if single else LogisticRegression(C=freedom, max_iter=1000)


def moments(rows: Ragged) -> npt.NDArray[np.float32]:
    """Return mean and deviation over time of every channel of rows (T, C), (B, 2 C)."""
    each = (row.astype(np.float32) for row in rows)
    return np.stack([np.concatenate([row.mean(0), row.std(0)]) for row in each])


def nearest_row(rows: Ragged, labels: Array, asked: Ragged, chosen: Integers | None = None) -> Integers:
    """Return for each row asked about the label of the nearest row, all stretched to the same number of time steps.

    Rows are (T, C); the distance is Euclid's over all steps and channels.

    Args:
        rows: those that are known.
        labels: theirs.
        asked: those asked about.
        chosen: the numbers of the known rows that are compared; all if absent.
    """
    chosen = np.arange(len(rows)) if chosen is None else chosen
    room = MOST // max(1, len(chosen) * rows.values.shape[1])
    steps = int(min(STEPS, rows.lengths[chosen].max(), max(1, room)))
    known = resampled(rows, steps, chosen).reshape(len(chosen), -1)
    squares = (known**2).sum(1)
    found = []
    for first in range(0, len(asked), BLOCK):
        block = resampled(asked, steps, np.arange(len(asked))[first : first + BLOCK]).reshape(-1, known.shape[1])
        found.append(labels[chosen[(squares - 2 * block @ known.T).argmin(1)]])
    return np.concatenate(found).astype(np.int64)


def resampled(rows: Ragged, steps: int, chosen: Integers) -> npt.NDArray[np.float32]:
    """Return some rows stretched or shortened to `steps` time steps by linear interpolation, (B, steps, C)."""
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
