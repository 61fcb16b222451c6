"""Naive labels: the most frequent, by words, by the nearest row of another length."""

import numpy as np
import pytest

from elman.baselines import labels
from elman.data.ragged import Ragged


def test_the_most_frequent_label_and_the_smallest_of_equals():
    assert labels.most_frequent(np.array([2, 0, 2, 1])) == 2
    assert labels.most_frequent(np.array([2, 1, 2, 1])) == 1


def test_words_and_their_pairs_are_told_apart():
    model = labels.LinearOnWords(["not good", "good", "not bad", "bad"] * 5, np.array([0, 1, 1, 0] * 5))
    assert model.predict(["not good", "bad", "not bad", "good"]).tolist() == [0, 0, 1, 1]
    assert model.predict(["!"]).shape == (1,)


def test_where_there_is_one_label_alone_it_is_the_answer():
    only = np.full(3, 7)
    assert labels.LinearOnWords(["a b", "b", "c"], only).predict(["d", "a"]).tolist() == [7, 7]
    assert labels.LinearOnNumbers(np.eye(3), only).predict(np.eye(3)).tolist() == [7, 7, 7]


def test_a_resampled_line_is_the_same_line():
    line = Ragged.of(np.linspace(0, 1, 9)[:, None].astype(np.float32), np.array([9]))
    assert np.allclose(labels.resampled(line, 5, np.array([0]))[0, :, 0], np.linspace(0, 1, 5))
    single = Ragged.of(np.array([[3.0]], np.float32), np.array([1]))
    assert labels.resampled(single, 4, np.array([0]))[0, :, 0].tolist() == [3, 3, 3, 3]


def test_the_nearest_row_is_found_whatever_its_length():
    rising, falling = np.linspace(0, 1, 12), np.linspace(1, 0, 7)
    known = Ragged.of(np.concatenate([rising, falling])[:, None].astype(np.float32), np.array([12, 7]))
    asked = Ragged.of(np.concatenate([falling[::-1], rising[::-1]])[:, None].astype(np.float32), np.array([7, 12]))
    assert labels.nearest_row(known, np.array([5, 6]), asked).tolist() == [5, 6]


def test_a_token_gets_the_tag_that_it_has_most_often():
    assert labels.most_frequent_by_key(["a", "b", "a", "a"], np.array([1, 2, 0, 1])) == {"a": 1, "b": 2}


def test_of_too_many_labels_the_linear_model_is_left_out(monkeypatch):
    monkeypatch.setattr(labels, "MOST_LABELS", 3)
    texts = ["a b", "c d", "e f", "g h"]
    assert labels.LinearOnWords(texts, np.array([0, 1, 2, 2])).predict(texts[:2]).shape == (2,)
    with pytest.raises(labels.NotMeasuredError, match="left out, as there are more than 3 labels"):
        labels.LinearOnWords(texts, np.arange(4))


def test_of_too_many_words_the_linear_model_sees_the_most_frequent(monkeypatch):
    texts, which = ["a b", "a b", "a c", "a d"], np.array([0, 0, 1, 1])
    monkeypatch.setattr(labels, "MOST_WEIGHTS", 4)
    model = labels.LinearOnWords(texts, which)
    assert model._features(texts, ()).shape == (4, 2)
    whole = model.predict(["b", "c", "b"]).tolist()
    monkeypatch.setattr(labels, "ASKED", 2)
    assert model.predict(["b", "c", "b"]).tolist() == whole
    assert model.predict([]).tolist() == []
