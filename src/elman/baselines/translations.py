"""A naive translation: every word by itself becomes the word that it most probably stands for.

It knows words as they are spelt, and nothing of their order.
"""

import re
from collections.abc import Sequence

import numpy as np

from elman.data.ragged import Array, Integers, Ragged, row_of, within

WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")
ROUNDS = 5
MOST_PAIRS = 10_000_000
BEFORE, AFTER = re.compile(r"\s+([,.;:!?…)\]%])"), re.compile(r"([(\[])\s+")


class WordByWord:
    """The most probable translation of each word, by five rounds of IBM's model 1.

    P(target word | source word) is found by expectation and maximisation, where each target word may come from any word
    of its row's source with the same prior (Brown et al. 1993, The mathematics of statistical machine translation).

    Args:
        sources: texts to learn from; as many rows are used as have ten million pairs of words.
        targets: theirs.
    """

    def __init__(self, sources: Sequence[str], targets: Sequence[str]) -> None:
        source, names = _numbered([WORD.findall(text.lower()) for text in sources])
        target, answers = _numbered([WORD.findall(text) for text in targets])
        pairs = source.lengths * target.lengths
        rows = int(np.searchsorted(np.cumsum(pairs), MOST_PAIRS, side="right")) + 1
        left, right, word = _pairs(source.first(rows), target.first(rows))
        keys, place = np.unique(left * len(answers) + right, return_inverse=True)
        of = keys // len(answers)
        probability = np.ones(len(keys))
        for _ in range(ROUNDS):
            share = probability[place]
            share /= np.bincount(word, share)[word]
            counts = np.bincount(place, share, len(keys))
            probability = counts / np.bincount(of, counts)[of]
        order = np.lexsort((probability, of))
        last = np.flatnonzero(np.diff(of[order], append=-1))
        self._best = {names[of[k]]: answers[keys[k] % len(answers)] for k in order[last]}

    def translate(self, text: str) -> str:
        """Return the translation; words that were never seen stay as they are."""
        words = [self._best.get(word.lower(), word) for word in WORD.findall(text)]
        joined = AFTER.sub(r"\1", BEFORE.sub(r"\1", " ".join(words)))
        return joined[:1].upper() + joined[1:] if text[:1].isupper() else joined


def _numbered(rows: list[list[str]]) -> tuple[Ragged, list[str]]:
    """Rows of word numbers, and the words."""
    numbers: dict[str, int] = {}
    flat = np.array([numbers.setdefault(word, len(numbers)) for row in rows for word in row], np.int64)
    return Ragged.of(flat, np.array([len(row) for row in rows])), list(numbers)


def _pairs(source: Ragged, target: Ragged) -> tuple[Array, Array, Integers]:
    """All pairs of a target word and a source word of its row: both words, and the number of the target word."""
    choices = np.repeat(source.lengths, target.lengths)  # how many source words there are for each target word
    begin = np.repeat(np.repeat(source.starts[:-1], target.lengths), choices)
    word = row_of(choices)
    return source.values[begin + within(choices)], target.values[word], word
