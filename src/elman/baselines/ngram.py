"""An n-gram model with interpolated modified Kneser-Ney smoothing: the baseline of language modelling.

It knows nothing of text: symbols are integers below the size of the vocabulary, be they characters, bytes or words.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from elman.errors import DataError, UsageError

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]

UNSEEN = -1
"""The number of an n-gram that the training text does not have."""


@dataclass(frozen=True, eq=False)
class Level:
    """What is kept of all n-grams of one length n, numbered 0, 1, 2, ... in the order of their keys.

    The key of an n-gram is (number of its first n-1 symbols at the level below) * V + (its last symbol), so that the
    keys stay below (symbols in the text) * V for every n, where V**n soon leaves 64 bits.
    """

    keys: Ids  # sorted
    share: Floats  # of each n-gram: its discounted count over the count of its context
    spare: Floats  # of each context: the probability that the discounts have freed for the level below

    def number(self, keys: Ids) -> Ids:
        """The number of the n-gram behind each key; UNSEEN where there is none, as for every negative key."""
        place = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[place] == keys, place, UNSEEN)


@dataclass(frozen=True, eq=False)
class NGram:
    """The probability of a symbol w after the history h, from the counts c of a training text:

        p(w | h) = max(c(hw) - D(c(hw)), 0) / c(h.)  +  spare(h) p(w | h'),    spare(h) = sum_w D(c(hw)) / c(h.)

    where h' is h without its first symbol. The longest n-grams have their counts in the text; the shorter ones have
    the number of different symbols that precede them. Below the shortest lies the uniform distribution, so every
    symbol of the vocabulary has a probability above zero. A history that the text does not have is shortened.

    Chen and Goodman, An empirical study of smoothing techniques for language modeling, Computer Speech and Language
    13 (1999), section 3 (the interpolated "kneser-ney-mod").
    """

    vocabulary: int
    levels: tuple[Level, ...]

    @property
    def order(self) -> int:
        """The length of the longest n-grams: the history is one symbol less."""
        return len(self.levels)

    @classmethod
    def fit(cls, ids: NDArray[np.integer], vocabulary: int, order: int = 5) -> "NGram":
        """Count a text.

        Args:
            ids: the text, (T,), integers in [0, vocabulary); may be memory-mapped. While counting, each symbol needs
                about 70 bytes (characters at order 5) to 150 (a vocabulary of 50,000).
            vocabulary: the number V of possible symbols, those that the text lacks included.
            order: the length of the longest n-grams; of a text shorter than that, its length. For characters 7 is
                best (nats on tiny Shakespeare, orders 1 to 8: 3.35 2.48 2.04 1.72 1.56 1.52 1.517 1.519), for its
                words 3; too high an order costs below 0.01.

        Raises:
            DataError: the text is empty.
            UsageError: an order below 1, or a symbol outside the vocabulary.
        """
        if order < 1:
            raise UsageError(f"the order of an n-gram model is {order}, but must be at least 1")
        text = _checked(ids, vocabulary)
        if not len(text):
            raise DataError("an n-gram model cannot be fitted on an empty text: give at least one symbol")
        return cls(vocabulary, _levels(text, vocabulary, min(order, len(text))))

    def log_probability(self, ids: NDArray[np.integer]) -> Floats:
        """The natural logarithm of the probability of each symbol, given those before it in `ids`: (T,) to (T,).

        The first symbols have the shorter histories that there are.

        Raises:
            UsageError: a symbol outside the vocabulary.
        """
        text = _checked(ids, self.vocabulary)
        probability = np.full(len(text), 1 / self.vocabulary)
        context = np.zeros(len(text), np.int64)  # the number of the history of each symbol
        for level in self.levels:
            gram = level.number(np.where(context == UNSEEN, UNSEEN, context * self.vocabulary + text))
            share = np.where(gram == UNSEEN, 0, level.share[gram])
            probability = np.where(context == UNSEEN, probability, share + level.spare[context] * probability)
            context = np.concatenate([[UNSEEN], gram])[: len(text)]
        logarithm: Floats = np.log(probability)
        return logarithm


def _checked(ids: NDArray[np.integer], vocabulary: int) -> Ids:
    text = np.asarray(ids)
    if text.ndim != 1 or not np.issubdtype(text.dtype, np.integer):
        raise UsageError(f"the symbols have shape {text.shape} and type {text.dtype}, but must be a row of integers")
    if len(text) and not 0 <= int(text.min()) <= int(text.max()) < vocabulary:
        raise UsageError(f"the symbols span {text.min()} to {text.max()}, but must be in [0, {vocabulary})")
    return text.astype(np.int64)


def _levels(text: Ids, vocabulary: int, order: int) -> tuple[Level, ...]:
    """Count the n-grams of every length; `gram` is the number of the n-gram that starts at each place."""
    levels = []
    keys, gram, counts = _numbered(text)
    contexts = 1
    for n in range(1, order):
        longer, longer_gram, longer_counts = _numbered(gram[:-1] * vocabulary + text[n:])
        first = np.empty(len(longer), np.int64)
        first[longer_gram] = np.arange(len(longer_gram))  # a place of each longer n-gram: any will do
        preceding = np.bincount(gram[first + 1], minlength=len(keys))
        levels.append(_level(keys, preceding, vocabulary, contexts))
        contexts, keys, gram, counts = len(keys), longer, longer_gram, longer_counts
    levels.append(_level(keys, counts, vocabulary, contexts))
    return tuple(levels)


def _numbered(keys: Ids) -> tuple[Ids, Ids, Ids]:
    """The different keys, sorted; the number of each key among them; how often each occurs.

    The same as np.unique with its options, in a third of the time: its sort is a stable one.
    """
    places = np.argsort(keys)
    ordered = keys[places]
    new = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    number = np.empty(len(keys), np.int64)
    number[places] = np.cumsum(new) - 1
    return ordered[new], number, np.diff(np.flatnonzero(np.append(new, [True])))


def _level(keys: Ids, counts: Ids, vocabulary: int, contexts: int) -> Level:
    """Discount the counts of all n-grams of one length, and give what is freed to their contexts."""
    context = keys // vocabulary
    discounts = _discounts(counts)[np.minimum(counts, 3)]
    total = np.bincount(context, counts, minlength=contexts)
    freed = np.bincount(context, discounts, minlength=contexts)
    counted = np.maximum(total, 1)  # a context that only stands where the text begins or ends has no counts
    return Level(keys, (counts - discounts) / counted[context], np.where(total > 0, freed / counted, 1.0))


def _discounts(counts: Ids) -> Floats:
    """The discounts of the counts 0, 1, 2 and of 3 or more, by equation 26 of Chen and Goodman.

    Where the text is too small or too regular for an estimate between 0 and the count, half of the count stands in,
    as in KenLM's `--discount_fallback`.
    """
    n = np.bincount(np.minimum(counts, 5), minlength=6)
    discounts = np.array([0, 0.5, 1.0, 1.5])
    for k in (1, 2, 3):
        if n[1] and n[k]:
            estimate = k - (k + 1) * n[1] / (n[1] + 2 * n[2]) * n[k + 1] / n[k]
            discounts[k] = estimate if 0 < estimate < k else discounts[k]
    return discounts
