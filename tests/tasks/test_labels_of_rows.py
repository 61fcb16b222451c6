"""What a report says of answered labels: what is confused, the surest mistakes, and texts as baselines read them."""

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from elman.data.ragged import Ragged
from elman.tasks import labels_of_rows
from elman.tasks.answering import Answers

TARGETS = [0, 0, 0, 1, 2, 2]
CHOICES = [1, 1, 0, 1, 0, 1]
SURE = [0.5, 0.9, 0.8, 0.7, 0.6, 0.95]
VALUES = ["a b", "c", "d", "e", "f", "g"]


def ragged(values):
    return Ragged.of(np.array(values), np.ones(len(values), np.int64))


@pytest.fixture
def rows():
    """Of a part; the first has the number 10 in its table."""
    texts = pl.Series(VALUES)
    column = SimpleNamespace(
        values=texts, take=lambda rows: SimpleNamespace(rows=10 + rows, values=texts.gather(pl.Series(rows)))
    )
    return SimpleNamespace(
        input_name="text",
        outputs={"label": SimpleNamespace(symbols=["x", "y", "z"])},
        column=lambda *asked: {("test", "text"): column}[asked],
        examples={"test": SimpleNamespace(targets={"label": ragged(TARGETS)}, inputs=None)}.__getitem__,
    )


ANSWERS = Answers(ragged(CHOICES), ragged(SURE), ragged(SURE))


def test_a_confusion_counts_the_answers_to_each_right_label(rows, monkeypatch):
    found = labels_of_rows.confused(rows, "test", "label", ANSWERS)
    assert (found["column"], found["labels"]) == ("label", ["x", "y", "z"])
    assert found["counts"] == [[1, 2, 0], [0, 1, 0], [1, 1, 0]]
    assert found["pairs"][0] == {"truth": "x", "answer": "y", "rows": 2, "of": 3}
    assert {(pair["truth"], pair["answer"], pair["rows"], pair["of"]) for pair in found["pairs"][1:]} == {
        ("z", "x", 1, 2),
        ("z", "y", 1, 2),
    }
    monkeypatch.setattr(labels_of_rows, "MATRIX", 3)
    monkeypatch.setattr(labels_of_rows, "PAIRS", 2)
    assert labels_of_rows.confused(rows, "test", "label", ANSWERS)["counts"]
    assert len(labels_of_rows.confused(rows, "test", "label", ANSWERS)["pairs"]) == 2
    monkeypatch.setattr(labels_of_rows, "MATRIX", 2)
    many = labels_of_rows.confused(rows, "test", "label", ANSWERS)
    assert many["labels"] == many["counts"] == []


def test_mistakes_are_the_wrong_answers_that_the_network_is_surest_of(rows, monkeypatch):
    monkeypatch.setattr(labels_of_rows, "MISTAKES", 3)
    assert labels_of_rows.mistakes(rows, "test", "label", ANSWERS) == [
        {"row": 15, "input": "g", "truth": "z", "answer": "y", "probability": 0.95},
        {"row": 11, "input": "c", "truth": "x", "answer": "y", "probability": 0.9},
        {"row": 14, "input": "f", "truth": "z", "answer": "x", "probability": 0.6},
    ]


def test_what_is_right_and_how_sure_it_was_go_together(rows):
    (found,) = labels_of_rows.reviewed(rows, "test", {"label": ANSWERS}, confusions=())["trust"]
    assert (found["column"], found["answers"], found["right"]) == ("label", 6, 2)
    assert found["above"][3] == {"sure": 0.8, "answers": 3, "right": 1}


def test_texts_are_as_they_are_and_tokens_have_spaces_between_them(rows):
    assert labels_of_rows.texts(rows, "test") == VALUES
    assert labels_of_rows.texts(rows, "test", np.array([0, 5])) == ["a b", "g"]
    tokens = SimpleNamespace(values=pl.Series([["a", "b"], ["c"]]))
    rows.column = lambda *_: tokens
    assert labels_of_rows.texts(rows, "test") == ["a b", "c"]
    assert labels_of_rows._shown([]) == ""
    assert labels_of_rows._shown(["a", "b"]) == "a b"
    assert labels_of_rows._shown([[1.0, 2.34567], [3.0, 4.0]]) == "1 2.346  3 4"
    assert labels_of_rows._shown([0.5, 2.0]) == "0.5  2"
    assert labels_of_rows._shown("a" * 400) == "a" * 400
    assert labels_of_rows._shown("a" * 401) == "a" * 400 + " ..."
