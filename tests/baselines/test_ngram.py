"""The n-gram baseline: equal to a slow one that can be read against the paper, a distribution everywhere, tireless."""

import math
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from elman.baselines.ngram import NGram
from elman.errors import DataError, UsageError


def slow(text, vocabulary, order):
    """p(w | h) by the definition: counts in dictionaries of tuples, one recursion from h to its suffixes."""
    order = min(order, len(text))
    grams = {n: [tuple(text[i : i + n]) for i in range(len(text) - n + 1)] for n in range(1, order + 1)}
    counts = {order: Counter(grams[order])}
    for n in range(1, order):
        counts[n] = Counter(longer[1:] for longer in set(grams[n + 1]))

    def discount(n, count):
        if count == 0:
            return 0.0
        n1, n2, n3, n4 = (sum(c == k for c in counts[n].values()) for k in (1, 2, 3, 4))
        k = min(count, 3)
        here, above = ((n1, n2), (n2, n3), (n3, n4))[k - 1]
        if n1 == 0 or here == 0:
            return k / 2
        estimate = k - (k + 1) * (n1 / (n1 + 2 * n2)) * above / here
        return estimate if 0 < estimate < k else k / 2

    @cache
    def probability(history, symbol):
        n = len(history) + 1
        lower = probability(history[1:], symbol) if history else 1 / vocabulary
        total = sum(c for gram, c in counts[n].items() if gram[:-1] == history)
        if total == 0:
            return lower
        count = counts[n][(*history, symbol)]
        spare = sum(discount(n, c) for gram, c in counts[n].items() if gram[:-1] == history)
        return (count - discount(n, count)) / total + spare / total * lower

    return lambda history, symbol: probability(tuple(history)[max(len(history) - order + 1, 0) :], symbol)


CASES = [(vocabulary, length, order) for vocabulary in (1, 2, 5, 40) for length in (1, 2, 3, 60) for order in (1, 2, 4)]


@pytest.mark.parametrize(("vocabulary", "length", "order"), CASES)
def test_every_probability_equals_the_one_of_the_definition(vocabulary, length, order):
    generator = np.random.default_rng(vocabulary * 1000 + length * 10 + order)
    train = np.minimum(generator.geometric(0.3, length) - 1, vocabulary - 1)
    other = generator.integers(0, vocabulary, 30)
    model, definition = NGram.fit(train, vocabulary, order), slow(train.tolist(), vocabulary, order)
    for text in (train, other):
        symbols = text.tolist()
        expected = [definition(symbols[:t], symbols[t]) for t in range(len(symbols))]
        np.testing.assert_allclose(np.exp(model.log_probability(text)), expected, rtol=1e-12)


@pytest.mark.parametrize("order", [1, 2, 3, 6])
@pytest.mark.parametrize("length", [1, 2, 5, 400])
def test_the_probabilities_of_all_symbols_after_any_history_sum_to_one(order, length):
    vocabulary = 7
    generator = np.random.default_rng(length)
    model = NGram.fit(generator.integers(0, vocabulary - 1, length), vocabulary, order)
    for _ in range(20):
        history = generator.integers(0, vocabulary, generator.integers(0, 8))
        last = [model.log_probability(np.append(history, symbol))[-1] for symbol in range(vocabulary)]
        assert math.fsum(np.exp(last)) == pytest.approx(1, abs=1e-14)


def test_a_symbol_that_the_text_lacks_keeps_a_finite_logarithm():
    model = NGram.fit(np.zeros(1000, np.int64), vocabulary=3, order=4)
    logarithm = model.log_probability(np.array([0, 0, 2, 2, 1]))
    assert np.isfinite(logarithm).all()
    assert (logarithm < 0).all()


def test_the_first_symbols_use_the_history_that_there_is():
    text = np.random.default_rng(0).integers(0, 4, 300)
    long, short = NGram.fit(text, 4, 5), text[:2]
    np.testing.assert_array_equal(long.log_probability(text)[:2], long.log_probability(short))


def test_an_order_longer_than_the_text_is_that_of_the_text():
    assert NGram.fit(np.array([0, 1]), 2, order=9).order == 2


def test_it_learns_what_the_previous_symbols_say():
    text = np.tile(np.arange(10), 50)
    assert NGram.fit(text, 10, 3).log_probability(text)[2:].mean() > math.log(0.9)
    assert NGram.fit(text, 10, 1).log_probability(text).mean() == pytest.approx(math.log(0.1))


@pytest.mark.parametrize("order", [3, 5])
def test_vocabularies_whose_power_leaves_64_bits_are_counted_right(order):
    vocabulary = 50_000  # to the power of 5: 78 bits
    wide = np.random.default_rng(0).permutation(vocabulary)[:20]
    narrow = np.random.default_rng(1).integers(0, 20, 2000)
    expected = NGram.fit(narrow, vocabulary, order).log_probability(narrow)
    np.testing.assert_allclose(NGram.fit(wide[narrow], vocabulary, order).log_probability(wide[narrow]), expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.uint64])
def test_a_memory_mapped_text_of_any_integer_type_gives_the_same(dtype, tmp_path: Path):
    text = np.random.default_rng(0).integers(0, 200, 500)
    text.astype(dtype).tofile(tmp_path / "text")
    mapped = np.memmap(tmp_path / "text", dtype, "r")
    expected = NGram.fit(text, 200).log_probability(text)
    np.testing.assert_array_equal(NGram.fit(mapped, 200).log_probability(mapped), expected)


def test_no_symbols_have_no_probabilities():
    assert NGram.fit(np.array([0, 1]), 2).log_probability(np.array([], np.int64)).shape == (0,)


def test_what_cannot_be_counted_is_refused_in_words():
    with pytest.raises(DataError, match="empty text"):
        NGram.fit(np.array([], np.int64), 3)
    with pytest.raises(UsageError, match=r"span 0 to 3, but must be in \[0, 3\)"):
        NGram.fit(np.array([0, 3]), 3)
    with pytest.raises(UsageError, match="span -1 to 0"):
        NGram.fit(np.array([0]), 3).log_probability(np.array([-1, 0]))
    with pytest.raises(UsageError, match="order"):
        NGram.fit(np.array([0]), 3, order=0)
    with pytest.raises(UsageError, match="float64"):
        NGram.fit(np.array([0.5]), 3)
