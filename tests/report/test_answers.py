"""What the report says of answers: where they differ from the truth, what is confused, and how far to trust them."""

import re

import pytest
from tests.report.left import leave, metrics, run, text_of

from elman.report import write


def section(folder, name, **more):
    page = write(leave(folder, run() | more, metrics())).read_text(encoding="utf-8")
    (found,) = re.findall(rf'<section id="{name}".*?</section>', page, re.DOTALL)
    return found


@pytest.mark.parametrize(
    ("truth", "answer", "marked"),
    [
        ("un chien court vite", "un chat court", ["chien", "vite", "chat"]),
        ("eight two", "eight  two six", ["six"]),
        ("all is other", "nothing here", []),
        ("the same", "the same", []),
    ],
)
def test_words_in_which_a_text_differs_from_the_truth_are_marked(tmp_path, truth, answer, marked):
    found = section(tmp_path, "writings", writings=[{"row": 1, "input": "x", "truth": truth, "answer": answer}])
    assert re.findall(r'<mark class="differs">([^<]*)</mark>', found) == marked
    words = re.sub(r"<[^>]*>", "", found)
    assert truth in words
    assert answer in words or truth == answer


def test_the_worst_rows_stand_behind_those_from_all_over(tmp_path):
    rows = [
        {"row": k, "input": f"{k}.wav", "truth": "one two", "answer": answer} for k, answer in ((1, "one"), (2, "<"))
    ]
    found = section(tmp_path, "writings", writings=rows[:1], worst=[*rows[1:], "lost"])
    assert found.index("1.wav") < found.index("<h3>The worst</h3>") < found.index("2.wav") < found.index("&lt;")
    for worst in ([], None, "lost"):
        assert "The worst" not in section(tmp_path, "writings", writings=rows, worst=worst)
    found = section(tmp_path, "writings", writings=rows[:1], unexpected=rows[1:])
    assert found.index("1.wav") < found.index("<h3>The least expected</h3>") < found.index("2.wav")


def test_every_answered_column_has_its_confusions_and_the_worst_pair_is_told_with_what_to_do(tmp_path):
    pairs = [{"truth": a, "answer": b, "rows": 4, "of": 10} for a, b in (("x", "y"), ("y", "x"), ("z", "x"))]
    one = {"column": "topic", "labels": [], "counts": [], "pairs": pairs}
    other = {"column": "<outcome>", "labels": ["a", "b"], "counts": [[1, 0], [0, 1]], "pairs": []}
    found = section(tmp_path, "confusion", confusion=[one, other, "lost"])
    assert re.findall(r"<h3>(.*?)</h3>", found) == ["topic", "&lt;outcome&gt;"]
    assert "Most often <b>x</b> and <b>y</b> are taken for one another, 8 times." in found
    assert found.count("taken for one another") == 1


@pytest.mark.parametrize(("right", "told"), [(9, True), (2, False)])
def test_what_is_confused_before_anything_was_learnt_is_no_reason_to_join_labels(tmp_path, right, told):
    pairs = [{"truth": "a", "answer": "b", "rows": 8, "of": 10}]
    one = {"column": "topic", "labels": ["a", "b"], "counts": [[right, 8], [0, right]], "pairs": pairs}
    assert ("taken for one another" in section(tmp_path, "confusion", confusion=[one])) == told


def figures(found):
    """The rows of the last table of a section, cell by cell."""
    rows = re.findall(r"<tr>(.*?)</tr>", found.rpartition("<tbody>")[2])
    return [re.findall(r"<td>(.*?)</td>", row) for row in rows]


def test_every_label_that_occurs_has_its_precision_recall_and_f1_the_hardest_first(tmp_path):
    counts = [[4, 2, 0, 0], [1, 3, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]]
    one = {"column": "topic", "labels": ["a", "b", "never answered", "never there"], "counts": counts, "pairs": []}
    assert figures(section(tmp_path, "confusion", confusion=[one])) == [
        ["never answered", "2", "–", "0.000", "0.000"],
        ["b", "4", "0.500", "0.750", "0.600"],
        ["a", "6", "0.667", "0.667", "0.667"],
    ]


def test_every_kind_of_span_has_its_precision_recall_and_f1_the_hardest_first(tmp_path):
    kinds = {"city": (4, 5, 3), "day": (0, 2, 0), "hour": (3, 0, 0)}
    told = {name: dict(zip(("truth", "answered", "right"), each, strict=True)) for name, each in kinds.items()}
    assert figures(section(tmp_path, "spans", spans={"kinds": told})) == [
        ["day", "0", "0.000", "–", "0.000"],
        ["hour", "3", "–", "0.000", "0.000"],
        ["city", "4", "0.600", "0.750", "0.667"],
    ]


def test_rows_that_are_tagged_rightly_are_not_called_mistakes(tmp_path):
    right = {"tokens": ["to", "york"], "truth": [[1, 2, "city"]], "answer": [[1, 2, "city"]]}
    wrong = right | {"answer": []}
    found = section(tmp_path, "spans", spans={"rows": [right, right]})
    assert "Every row that was scored is tagged rightly." in found
    assert "Mistakes" not in found
    found = section(tmp_path, "spans", spans={"rows": [wrong, right]})
    assert "Mistakes that the model is most sure of" in found
    assert found.count("Answered rightly.") == 1


def test_a_line_may_end_behind_an_underscore_of_a_label(tmp_path):
    mistake = {"row": 7, "input": "a", "truth": "card_arrival", "answer": "<i>_b", "probability": 0.9}
    found = section(tmp_path, "mistakes", mistakes=[mistake])
    assert "<td>card_<wbr>arrival</td><td>&lt;i&gt;_<wbr>b</td>" in found


def trust(said=0.9, right=60):
    bins = [{"answers": 50, "said": 0.8, "right": 0.4}, {"answers": 50, "said": 1.0, "right": 0.8}]
    above = [{"sure": 0.5, "answers": 100, "right": right}, {"sure": 0.9, "answers": 50, "right": 45}]
    return {"column": "topic", "answers": 100, "right": right, "said": said, "error": 0.3, "bins": bins, "above": above}


@pytest.mark.parametrize(
    ("said", "words"),
    [(0.9, "surer than it should be"), (0.61, "taken at their word"), (0.5, "more often than it says")],
)
def test_probabilities_are_held_against_what_is_right(tmp_path, said, words):
    text = text_of(leave(tmp_path, run() | {"trust": [trust(said)]}, metrics()))
    assert f"a probability of {100 * said:.0f}\u202f% on average, and 60\u202f% of them are right" in text
    assert words in text
    assert "at least 90\u202f% sure of, 50\u202f% of all, 10\u202f% are wrong in place of 40\u202f%" in text
    assert "90\u202f% 50\u202f% 90.0\u202f%" in text


def test_what_was_done_to_the_probabilities_is_told(tmp_path):
    told = trust() | {"column": "kind"}
    found = section(tmp_path, "trust", trust=[told], temperatures={"kind": 0.738})
    assert "After training its scores were divided by 0.74, as the validation rows asked for." in found
    for temperatures in (None, {"kind": "a lot"}, {"other": 0.7}):
        assert "were divided" not in section(tmp_path, "trust", trust=[told], temperatures=temperatures)


def test_no_threshold_is_recommended_that_wins_nothing(tmp_path):
    assert "let people look" not in section(tmp_path, "trust", trust=[trust(right=100), "lost", {"answers": 0}])


def test_a_network_that_is_sure_of_nothing_has_no_empty_table(tmp_path):
    unsure = trust() | {"above": [{"sure": 0.5, "answers": 0, "right": 0}]}
    assert "<table" in section(tmp_path, "trust", trust=[trust()])
    assert "<table" not in section(tmp_path, "trust", trust=[unsure])


def test_a_wide_table_is_reached_by_keyboard(tmp_path):
    page = write(leave(tmp_path, run(), metrics())).read_text(encoding="utf-8")
    assert page.count('class="scroll"') == page.count('<div class="scroll" role="region" tabindex="0" aria-label=') > 5
