"""Columns as numbers and back: words with their parts, labels, tags that BIO allows, series."""

import datetime as dt
import itertools
import json

import numpy as np
import pytest
import torch

from elman.data.tables import from_rows
from elman.errors import DataError
from elman.modalities.label import Label
from elman.modalities.series import Series
from elman.modalities.symbols import SymbolTexts
from elman.modalities.tags import Span, Tags, spans_of
from elman.modalities.words import Words


def column(values, name="a"):
    return from_rows([{name: value} for value in values], "t.csv").column(name)


def test_words_are_found_and_their_parts_survive_a_spelling_mistake():
    words = Words.fit(column(["Card lost, card stolen!", "my card's lost"]))
    assert words.words == ["card", "lost"]
    encoded = words.encode(column(["CARD", "carrd"]))
    assert encoded.words.tolist() == [words.words.index("card") + 1, 0]
    known, misspelt = (set(row.tolist()) for row in encoded.parts)
    assert known & misspelt
    assert {words.parts[k] for k in known} - {words.parts[k] for k in misspelt} >= {"ard", "card"} & set(words.parts)


def test_a_batch_of_words_reads_each_form_as_if_it_stood_alone():
    words = Words.fit(column(["a bb ccc a bb ccc", "bb bbb"]))
    reader = words.reader(6).eval()
    encoded = words.encode(column(["bb ccc a bb", "zz", "a"]))
    together = reader(encoded.batch(np.array([2, 0, 1])))
    assert together.shape == (4, 3, 6)
    for place, row in enumerate((2, 0, 1)):
        alone = reader(encoded.batch(np.array([row])))
        assert torch.allclose(together[: len(alone), place], alone[:, 0])


def test_fitted_modalities_come_back_from_json():
    texts = column(["one two one", "two three"])
    for fitted in (Words.fit(texts), SymbolTexts.fit(texts, "char", 300, 50), Series.fit(column([[1.0, 2.0]]))):
        again = type(fitted).from_dict(json.loads(json.dumps(fitted.to_dict())))
        assert again.to_dict() == fitted.to_dict()


def test_symbols_of_texts_are_those_of_the_unit():
    texts = SymbolTexts.fit(column(["abc", "b"]), "char", 300, 50)
    batch = texts.encode(column(["cab", "b"])).batch(np.array([0, 1]))
    assert batch.tolist() == [[2, 1], [0, 0], [1, 0]]


@pytest.mark.parametrize("values", [["b", "a", "b"], [2, 1, 2], [True, False, True]])
def test_labels_are_names_whatever_they_are(values):
    label = Label.fit(column(values))
    assert [label.symbols[k] for k in label.encode(column(values)).values] == [
        str(v).lower() if isinstance(v, bool) else str(v) for v in values
    ]


KINDS = [["b", "a", "b"], [10, 2, 10], [True, False, True], [0.5, -0.0, 0.0]]


@pytest.mark.parametrize("values", KINDS)
@pytest.mark.parametrize(("made", "form"), [(Label, lambda v: v), (Tags, lambda v: [v])])
def test_names_come_back_as_what_they_were(values, made, form):
    given = column([form(value) for value in values])
    fitted = made.from_dict(json.loads(json.dumps(made.fit(given).to_dict())))
    found = [fitted.values[k] for k in fitted.encode(given).values]
    assert found == values
    assert {type(value) for value in found} == {type(values[0])}
    assert fitted.values == sorted(fitted.values)


NUMBERS = ([0, 1], [0.0, 1.0], [False, True])


@pytest.mark.parametrize(
    ("trained", "asked"), [*itertools.product(NUMBERS, NUMBERS), (["0", "1"], [0, 1]), ([0.0, 1.0], ["0", "1"])]
)
def test_equal_numbers_are_equal_labels(trained, asked):
    assert Label.fit(column(trained)).encode(column(asked)).values.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("trained", "symbols", "asked", "numbers"),
    [
        (["1", "1.0", "2"], ["1", "2"], ["2.00", "1.0", "1"], [1, 0, 0]),
        (["1.0", "2.0", "0.5"], ["0.5", "1.0", "2.0"], ["1", "0.5"], [1, 0]),
        (["1.1", "1.10", "-1"], ["-1", "1.1", "1.10"], ["1.10", "-1.0"], [2, 0]),  # as sections and versions are
    ],
)
@pytest.mark.parametrize(("made", "form"), [(Label, lambda v: v), (Tags, lambda v: [v])])
def test_where_all_texts_are_numbers_whole_ones_are_equal(trained, symbols, asked, numbers, made, form):
    fitted = made.fit(column([form(value) for value in trained]))
    assert fitted.symbols == symbols
    assert fitted.encode(column([form(value) for value in asked])).values.tolist() == numbers
    assert fitted.extended(column([form(value) for value in asked])).symbols == symbols


@pytest.mark.parametrize("other", ["01", "n/a"])
def test_where_some_texts_are_no_numbers_all_are_what_they_are(other):
    fitted = Label.fit(column(["1", "1.0", other]))
    assert fitted.symbols == sorted(["1", "1.0", other])
    with pytest.raises(DataError, match=r"is '1.00', which training has never seen"):
        fitted.encode(column(["1.00"]))


def test_a_code_is_no_number():
    with pytest.raises(DataError, match="is '01', which training has never seen"):
        Label.fit(column(["0", "1"])).encode(column(["01"]))


DAYS = ["2024-01-01", "2024-01-02"]


@pytest.mark.parametrize("of", [dt.date.fromisoformat, dt.datetime.fromisoformat])
def test_dates_are_labels_as_a_csv_has_them(of):
    label = Label.fit(column([of(day) for day in DAYS]))
    assert label.values == DAYS
    for asked in (DAYS, [*map(of, DAYS)]):
        assert label.encode(column(asked)).values.tolist() == [0, 1]
    with pytest.raises(DataError, match="is '2024-01-03', which training has never seen"):
        label.encode(column([of("2024-01-03")]))


def test_durations_are_no_labels():
    with pytest.raises(DataError, match="holds times, not one label"):
        Label.fit(column([dt.timedelta(1), dt.timedelta(2)]))


def test_a_run_that_does_not_say_the_kind_answers_texts():
    assert Label.from_dict({"symbols": ["0", "1"]}).values == ["0", "1"]


def test_the_decoded_tags_are_the_most_probable_that_bio_allows():
    tags = Tags(["B-x", "B-y", "I-x", "I-y", "O"])
    torch.manual_seed(0)
    scores = torch.randn(4, 20, 5).log_softmax(-1)
    lengths = np.array([4, 3, 2, 1] * 5)
    found = tags.decode(scores, lengths)
    for row, length in enumerate(lengths):
        allowed = [
            path
            for path in itertools.product(range(5), repeat=int(length))
            if all(
                not tags.symbols[k].startswith("I") or (t and tags.symbols[path[t - 1]][2:] == tags.symbols[k][2:])
                for t, k in enumerate(path)
            )
        ]
        best = max(allowed, key=lambda path: sum(scores[t, row, k].item() for t, k in enumerate(path)))
        assert tuple(found[:length, row].tolist()) == best


@pytest.mark.parametrize(
    ("tags", "strict"),
    [
        (["O", "B-x", "I-x"], True),
        (["B-x", "I-x", "I-y", "B-y"], True),  # a slip
        (["O", "I-x", "I-x"], False),
        (["I-x", "B-x", "I-y", "O"], False),  # of Ramshaw & Marcus
        (["N", "O"], True),
    ],
)
def test_where_i_begins_spans_in_training_it_does_in_answers(tags, strict):
    fitted = Tags.fit(column([tags] * 20))
    fitted = Tags.from_dict(fitted.to_dict())
    assert fitted.strict == strict
    numbers = torch.tensor([fitted.symbols.index(tag) for tag in tags])
    scores = torch.nn.functional.one_hot(numbers, len(fitted.symbols)).float().log_softmax(-1)
    if not strict:
        assert fitted.named(fitted.decode(scores.unsqueeze(1), np.array([len(tags)]))[:, 0].numpy()) == tags


def test_a_run_that_does_not_say_what_begins_spans_begins_them_with_b():
    assert Tags.from_dict({"symbols": ["I-x", "O"]}).strict


def test_spans_are_read_as_conlleval_reads_them():
    tags = ["B-a", "I-a", "B-a", "I-b", "O", "I-a", "I-a"]
    assert spans_of(tags) == {Span(0, 2, "a"), Span(2, 3, "a"), Span(3, 4, "b"), Span(5, 7, "a")}
    assert spans_of(["O"]) == set()


def test_a_series_is_scaled_by_training_and_keeps_its_shape():
    series = Series.fit(column([[[0.0, 5.0], [2.0, 5.0]], [[4.0, 5.0]]]))
    encoded = series.encode(column([[[2.0, 5.0]], [[4.0, 6.0], [0.0, 5.0]]]))
    deviation = np.std([0, 2, 4])
    assert encoded.lengths.tolist() == [1, 2]
    assert encoded.batch(np.array([1])).tolist() == [
        [[pytest.approx(2 / deviation), 1.0]],
        [[pytest.approx(-2 / deviation), 0.0]],
    ]
    assert Series.fit(column([[1.0, 2.0, 3.0]])).channels == 1


def test_a_channel_that_never_changed_is_not_scaled_by_how_its_sum_rounds():
    series = Series.fit(column([[[0.1, 1.0]] * 1000]))  # whose deviation is 2e-16, for numpy
    assert (series.mean.tolist(), series.deviation.tolist()) == ([0.1, 1.0], [1.0, 1.0])


BAD = [
    (lambda: Words.fit(column(["a", " "])), "t.csv, row 2, column 'a' is empty"),
    (lambda: Words.fit(column(["a", None])), "t.csv, row 2, column 'a' is empty"),
    (lambda: Words.fit(column([1, 2])), "holds number, not text"),
    (lambda: Words.fit(column(["a", "b " * 100_000])), "row 2, column 'a' has 100,000 words, more than 2,000"),
    (lambda: SymbolTexts.fit(column(["a"]), "char", 9, 5).encode(column(["a" * 6])), "has 6 characters, more than 5"),
    (lambda: Label.fit(column(["a", "a"])), "every row of column 'a' is 'a'"),
    (lambda: Label.fit(column([["a"], ["b"]])), "holds texts, not one label"),
    (lambda: Label(["x", "y"]).encode(column(["x", "z"])), "row 2, column 'a' is 'z', which training has never seen"),
    (lambda: Tags(["O"]).encode(column([["O"], ["O", "B-q"]])), "row 2, column 'a' has the tag 'B-q', which training"),
    (lambda: Label.fit(column([1.0, 0.0, float("nan")])).encode(column([float("nan")])), "is nan, which is no label"),
    (lambda: Label.fit(column([0, 1])).encode(column([2])), "is 2, which training has never seen; there were 0, 1"),
    (lambda: Tags.fit(column([[k / 7, -k / 7] for k in range(60)])), "has 119 different values in 120 time steps"),
    (lambda: Series.fit(column([[1.0], []])), "row 2, column 'a' is an empty series"),
    (
        lambda: Series.fit(column([[[1.0, 2.0]], [[1.0]]])),
        "row 2, column 'a' has 1 numbers in a time step, where others",
    ),
    (
        lambda: Series.fit(column([[1.0], [float("nan")]])),
        "row 2, column 'a' holds a value that is missing or no finite",
    ),
    (
        lambda: Series.fit(column([[[1.0]]])).encode(column([[[1.0, 2.0]]])),
        "has 2 numbers per time step, training had 1",
    ),
    (lambda: Series.fit(column([[1.0], [1e200, 2.0], [1e200]])), "row 2, column 'a' holds a number beyond 1e+100"),
    (
        lambda: Series.fit(column([[1.0, 2.0]])).encode(column([[1.0], [1e200, 2.0], [1e200]])),
        "row 2, column 'a' holds a number too far from those of training",
    ),
    (lambda: Series.fit(column(["a"])), "holds text, not a series"),
]


@pytest.mark.parametrize(("do", "message"), BAD, ids=[message for _, message in BAD])
def test_what_cannot_be_read_is_named_with_its_row(do, message):
    with pytest.raises(DataError) as told:
        do()
    assert message in str(told.value)
