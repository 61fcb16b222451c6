"""Word by word: the probabilities are those of IBM's model 1, as it is defined."""

import random
from collections import defaultdict

from elman.baselines.translations import ROUNDS, WordByWord


def best(rows):
    """The most probable word for each, by expectation and maximisation in dictionaries."""
    probability = defaultdict(lambda: 1.0)
    for _ in range(ROUNDS):
        counts, totals = defaultdict(float), defaultdict(float)
        for source, target in rows:
            for word in target:
                whole = sum(probability[s, word] for s in source)
                for s in source:
                    counts[s, word] += probability[s, word] / whole
                    totals[s] += probability[s, word] / whole
        probability = defaultdict(float, {pair: count / totals[pair[0]] for pair, count in counts.items()})
    found = {}
    for (s, word), value in probability.items():
        if value > found.get(s, ("", 0.0))[1]:
            found[s] = word, value
    return {s: word for s, (word, _) in found.items()}


def drawn(count=60):
    """Rows in which the frequent word `the` stands beside all others, and words may be left out."""
    draw, rows = random.Random(0), []
    for _ in range(count):
        words = draw.choices("abcdefgh", k=draw.randint(1, 6))
        target = ["le", *[word.upper() for word in words if draw.random() < 0.8], *(["le"] * draw.randint(0, 2))]
        rows.append((["the", *words], draw.sample(target, len(target))))
    return rows


def test_each_word_becomes_the_one_that_model_1_finds_most_probable():
    rows = drawn()
    model = WordByWord([" ".join(source) for source, _ in rows], [" ".join(target) for _, target in rows])
    expected = best(rows)
    assert set(expected) == {"the", *"abcdefgh"}
    for word, answer in expected.items():
        assert model.translate(word) == answer


def test_letter_case_and_what_was_never_seen():
    model = WordByWord(["The cat .", "the DOG ."], ["le chat .", "le chien ."])
    assert model.translate("Cat , zebra.") == "Chat, zebra."
    assert model.translate("dog") == "chien"
