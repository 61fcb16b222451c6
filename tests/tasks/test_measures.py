"""What answers are worth, by hand: accuracy and F1 of labels, F1 of spans, which label is taken for which."""

import numpy as np
import pytest

from elman.modalities.tags import spans_of
from elman.tasks import measures, text_measures
from elman.tasks.measures import Counts

TARGETS, CHOICES = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 4, 0])


def test_a_confusion_has_a_row_for_each_right_label_and_a_column_for_each_answer():
    counts = measures.confusion(CHOICES, TARGETS, 5)
    assert counts.tolist() == [[2, 1, 0, 0, 0], [0, 1, 0, 0, 1], [1, 0, 0, 0, 0], [0] * 5, [0] * 5]


def test_f1_is_averaged_over_the_labels_that_occur_among_targets_or_answers():
    found = measures.of_labels(CHOICES, TARGETS, 5)
    assert found["accuracy"] == pytest.approx(3 / 6)
    assert found["macro_f1"] == pytest.approx((2 * 2 / (3 + 3) + 2 * 1 / (2 + 2) + 0 + 0) / 4)


def test_spans_are_right_when_start_end_and_kind_are():
    truth = [["B-a", "I-a", "O", "B-b", "B-b"], ["B-a", "O", "O", "O", "O"]]
    answered = [["B-a", "I-a", "O", "B-b", "I-b"], ["B-b", "O", "B-c", "B-c", "B-c"]]
    counts = measures.spans(map(spans_of, truth), map(spans_of, answered))
    assert counts == {"a": Counts(2, 1, 1), "b": Counts(2, 2, 0), "c": Counts(0, 3, 0)}
    assert measures.overall(counts) == pytest.approx(2 * 1 / (4 + 6))


def test_where_nothing_is_to_be_found_saying_nothing_is_right():
    assert measures.overall(measures.spans([set()], [set()])) == 1.0
    assert measures.overall(measures.spans([set()], [spans_of(["B-a"])])) == 0.0


def test_a_library_that_is_not_there_is_told_by_the_name_that_pip_knows():
    (told,) = text_measures.missing("no_such_library", "BLEU and chrF")
    assert told == "BLEU and chrF will not be measured, as they need no-such-library: pip install 'elman[metrics]'"
    assert text_measures.missing("json", "BLEU and chrF") == ()


def test_what_is_confused_is_counted_the_most_frequent_first():
    truth, said = np.array([0, 0, 2, 2, 2, 1]), np.array([0, 1, 0, 0, 1, 1])
    assert measures.confused(said, truth) == [(2, 0, 2), (0, 1, 1), (2, 1, 1)]
    assert measures.confused(truth, truth) == []


def test_labels_are_scored_in_memory_that_grows_with_them_and_not_with_their_pairs():
    labels = 1_000_000  # of which the pairs would take 8 TB
    truth, said = np.array([0, 1, labels - 1]), np.array([0, labels - 1, labels - 1])
    assert measures.of_labels(said, truth, labels) == {
        "accuracy": pytest.approx(2 / 3),
        "macro_f1": pytest.approx((1 + 0 + 2 / 3) / 3),
    }
    assert measures.confused(said, truth) == [(1, labels - 1, 1)]
