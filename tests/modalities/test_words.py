"""Words and their parts: what is collected of a column, and what of it a form is made of."""

import numpy as np
import pytest
import torch

from elman.data.tables import from_rows
from elman.errors import DataError
from elman.modalities import words as module
from elman.modalities.words import TOKENS, Words


def column(values):
    return from_rows([{"a": value} for value in values], "t.csv").column("a")


@pytest.mark.parametrize(
    ("forms", "common"),
    [
        (["Ab1", "Ab2"], ["<a", "<ab", "ab", " Xxd"]),
        (["ABC", "abc"], ["<a", "<ab", "<abc", "<abc>", "ab", "abc", "abc>", "bc", "bc>", "c>"]),
        (["x-17", "yY!Z:2"], []),
        (["über4-", "Grün5!"], []),
        (["12abcdef", "34abcdef"],
         [" dx"] + ["abcdef>"[i:j] for i in range(7) for j in range(i + 2, min(i + 5, 7) + 1)]),
        (["a" * 50 + "b", "a" * 50 + "c"], ["<a" + "a" * k for k in range(4)] + ["a" * k for k in range(2, 6)]
         + ["a" * k + ">" for k in range(1, 5)] + [" x"]),
    ],
)  # fmt: skip
def test_a_form_is_made_of_its_n_grams_and_of_its_shape(forms, common):
    """Of two to five characters, without letter case; of those that two forms at least have in common."""
    fitted = Words.fit(column([forms]))
    assert fitted.parts == sorted(common)
    first, _ = fitted.encode(column([forms])).parts
    assert {fitted.parts[k] for k in first} == set(common)


def test_the_most_frequent_words_and_parts_are_kept(monkeypatch):
    monkeypatch.setattr(module, "MOST_WORDS", 2)
    monkeypatch.setattr(module, "MOST_PARTS", 1)
    fitted = Words.fit(column(["up up down left left left down down once", "down x"]))
    assert fitted.words == ["down", "left"]
    assert fitted.parts == [" x"]  # the shape of all five forms


def test_more_of_a_column_adds_words_and_parts_behind_those_that_were_there():
    fitted = Words.fit(column(["b b", "c c"]), forget=0.3)
    grown = fitted.extended(column(["c c", "aa aa ab", "b"]))
    assert (fitted.words, grown.words) == (["b", "c"], ["b", "c", "aa"])
    assert (fitted.parts, grown.parts) == ([" x"], [" x", "<a", "b>"])
    assert grown.to_dict() | {"words": 0, "parts": 0} == fitted.to_dict() | {"words": 0, "parts": 0}


@pytest.mark.parametrize("forget", [0.0, 0.25, 1.0])
def test_words_are_forgotten_in_training_alone_and_as_often_as_asked(forget):
    torch.manual_seed(0)
    words = [f"w{k}" for k in range(2000)]
    fitted = Words(words, ["w"], r"\S+", 2000, forget)
    reader, batch = fitted.reader(4), fitted.encode(column([words])).batch(np.array([0]))
    whole = reader.eval()(batch)
    kept = (reader.train()(batch)[..., :2] != 0).any(-1)
    assert (whole[..., :2] != 0).any(-1).all()
    assert 1 - kept.float().mean().item() == pytest.approx(forget, abs=0.03)


def test_a_list_is_no_text_where_training_read_texts_and_a_text_is_a_list_where_it_read_tokens():
    texts, tokens = column(["my card is lost", "my card"]), column([["my", "card"], ["my"]])
    fitted = Words.fit(texts)
    for again in (fitted, Words.from_dict(fitted.to_dict()), fitted.extended(texts)):
        with pytest.raises(
            DataError, match=r"row 1, column '\w+' holds a list, but training read whole texts; join each"
        ):
            again.encode(tokens)
    assert len(Words.fit(tokens).encode(texts).rows.values) == 6
    assert len(Words.fit(texts, TOKENS).encode(tokens).rows.values) == 3
    old = {name: value for name, value in fitted.to_dict().items() if name != "whole"}
    assert len(Words.from_dict(old).encode(tokens).rows.values) == 3
