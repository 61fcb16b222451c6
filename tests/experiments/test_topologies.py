"""Topologies: problems cut from the text, each wiring runs, and what is said of them."""

from functools import partial

import pytest
import torch
from torch import nn

from elman.experiments import texts, topologies, wirings
from elman.experiments.texts import Letters
from elman.experiments.wirings import BOTH, CAPITALS, NEXT, SYNCED, WIRINGS
from elman.experiments.writing import Word, Writer


def test_words_and_sentences_are_distinct_and_tidy():
    words, asked = texts.words(), texts.sentences("?")
    assert len(set(words)) == len(words) > 5000
    assert all(4 <= len(word) <= 10 and word.isalpha() and word.islower() for word in words)
    assert len(set(asked)) == len(asked) > 1000
    assert not any(sign in sentence for sentence in asked for sign in "?:\n")
    assert "first citizen" not in texts.sentences(":")  # who speaks is no sentence


def test_nothing_is_held_out_and_learnt_from():
    train, test = texts.split([str(number) for number in range(100)], 3)
    assert (len(train), len(test)) == (90, 10)
    assert len({*train, *test}) == 100
    assert texts.split([str(number) for number in range(100)], 3) == (train, test)


def test_letters_are_told_and_said():
    letters = Letters("banana")
    assert len(letters) == 4
    rows, lengths = letters.padded(["ban", "n"])
    assert lengths.tolist() == [3, 1]
    assert [letters.said(row) for row in rows.T] == ["ban", "n"]


@pytest.mark.parametrize("wiring", WIRINGS, ids=lambda wiring: f"{wiring.topology}, {wiring.measure}")
def test_each_wiring_is_scored_beside_its_baseline(wiring):
    model, naive = partial(wiring.score, updates=2)(0)
    assert -100 < model <= 100
    assert 0 < naive < 100


def test_of_one_step_the_recurrent_matrix_has_no_gradient():
    assert wirings.recurrent_gradient(1) == 0
    assert wirings.recurrent_gradient(2) > 0


def test_a_writer_learns_a_few_words_by_heart():
    torch.manual_seed(0)
    words = ["hello", "word", "a", "banana"]
    rows = wirings._rows(words)
    network = Writer(Word(len(wirings.ALPHABET), 32), len(wirings.ALPHABET), 32)
    assert wirings.spelled(network, rows, words, rows, 60) == words
    network = Writer(nn.Sequential(nn.Linear(len(wirings.ALPHABET), 32), nn.Tanh()), len(wirings.ALPHABET), 32)
    counts = (wirings._counts(words),)
    assert wirings.spelled(network, counts, words, counts, 60) == words


def test_the_distance_of_words():
    assert wirings.distance("kitten", "sitting") == 3
    assert wirings.distance("", "abc") == wirings.distance("abc", "") == 3
    assert wirings.letters_right(["hllo", "word"], ["hello", "word"]) == pytest.approx(100 * 8 / 9)


def test_the_verdict_follows_from_what_was_found():
    keys = [(wiring.topology, wiring.problem) for wiring in WIRINGS]
    models, naives = {key: [50.0, 51.0] for key in keys}, {key: [20.0, 21.0] for key in keys}
    assert topologies._judged(models, naives)[0] == "holds"
    models |= {(BOTH, NEXT): [99.9, 99.8], (BOTH, CAPITALS): [90.0, 91.0]}
    assert topologies._judged(models, naives)[0] == "holds in part"
    assert "8 of 8 beat" in topologies._measured(models, naives)
    assert topologies._judged(models | {(SYNCED, NEXT): [10.0, 50.0]}, naives)[0] == "does not hold"
