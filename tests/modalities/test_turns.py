"""Turns: conversations of words, each turn read as if it were alone."""

import numpy as np
import pytest
import torch

from elman.data import tables
from elman.errors import DataError
from elman.modalities import turns
from elman.modalities.turns import Turns

CALLS = [
    ["a: how are you today?", "b: fine", "a: what is it about, and may I have your number, please?"],
    ["b: hello"],
    ["a: yes", "b: no, not that one at all, the other one"],
    ["b: fine", "a: fine"],
]


def column(values):
    return tables.from_rows([{"call": value} for value in values], "t.jsonl").column("call")


def fitted(values=CALLS, longest=50, dropout=0.0):
    return Turns.fit(column(values), longest, "lstm", 5, dropout)


def reader(modality):
    torch.manual_seed(0)
    return modality.reader(8).eval()


@pytest.mark.parametrize("most", [1, 2, 128])
def test_a_call_is_read_as_if_it_were_alone(monkeypatch, most):
    modality = fitted()
    encoded, read = modality.encode(column(CALLS)), reader(modality)
    alone = [read(encoded.batch(np.array([row]))) for row in range(4)]
    monkeypatch.setattr(turns, "MOST", most)
    order = [2, 0, 3, 1]
    together = read(encoded.batch(np.array(order)))
    assert together.shape == (3, 4, read.features)
    for place, row in enumerate(order):
        assert len(alone[row]) == len(CALLS[row])
        assert torch.allclose(together[: len(CALLS[row]), place], alone[row][:, 0], atol=1e-6)
        assert not together[len(CALLS[row]) :, place].any()


def test_the_same_turn_is_read_alike_in_every_call():
    modality = fitted()
    found = reader(modality)(modality.encode(column(CALLS)).batch(np.arange(4)))
    assert torch.allclose(found[1, 0], found[0, 3], atol=1e-6)
    assert not torch.allclose(found[0, 3], found[1, 3])


def test_a_text_has_a_turn_on_each_line_with_words():
    modality, read = fitted(), reader(fitted())
    listed = read(modality.encode(column(CALLS[:1])).batch(np.array([0])))
    lines = read(modality.encode(column(["\r\n\r\n".join(CALLS[0]) + "\n \n"])).batch(np.array([0])))
    assert torch.equal(listed, lines)


def test_one_turn_after_the_other_is_left_out():
    encoded = fitted().encode(column(CALLS)).without_each(0)
    assert encoded.lengths.tolist() == [2, 2, 2]
    assert [row.tolist() for row in encoded.rows] == [[1, 2], [0, 2], [0, 1]]


def test_a_fitted_modality_comes_back_from_json():
    modality = fitted()
    back = Turns.from_dict({"column": "call"} | modality.to_dict())
    assert back.to_dict() == modality.to_dict()
    assert modality.facts(modality.encode(column(CALLS)))["turns"] == 8


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([["a"], []], "row 2, column 'call' has no turns; remove the row"),
        (["a", " \n "], "row 2, column 'call' has no turns; remove the row"),
        ([["a"], None], "row 2, column 'call' is empty; fill it in, or remove the row"),
        (
            [["a"], ["b", " ", "c"]],
            "row 2, column 'call' is empty in turn 2; fill it in, or remove the turn",
        ),
        ([["a"], ["b", None]], "row 2, column 'call' is empty in turn 2; fill it in, or remove the turn"),
        (
            [["a"], ["b"] * 4],
            "row 2, column 'call' has 4 turns, more than 3; divide it, or train a new network with a larger --longest",
        ),
        (
            [["a"], ["b", "a b c d"]],
            (
                "row 2, column 'call' has more than 3 words in turn 2; shorten it, or train a new network "
                "with a larger --longest"
            ),
        ),
        ([1, 2], "row 1, column 'call' holds number, not turns: a list of texts, or a text with a turn on each line"),
    ],
)
def test_what_is_wrong_is_told_by_row_and_turn(values, message):
    with pytest.raises(DataError) as told:
        fitted(values, longest=3)
    assert str(told.value) == f"t.jsonl, {message}"
