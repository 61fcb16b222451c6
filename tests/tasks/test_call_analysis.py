"""Call analysis: from a table of calls to labels and tags that need what was said before."""

import random
import sys

import numpy as np
import pytest

import elman
from elman.baselines import labels
from elman.data import tables
from elman.errors import DataError, UsageError
from elman.report.page import write

TINY = {
    "batch": 16,
    "hidden": 16,
    "word_hidden": 8,
    "embedding": 16,
    "rate": 0.01,
    "precision": "float32",
    "dropout": 0.1,
    "word_dropout": 0.1,
    "input_dropout": 0.0,
    "quiet": True,
}
WHAT = ("card", "loan", "rent")


def call(draw):
    """The agent offers something, and the customer takes it or not: "yes" means what was offered last."""
    turns, tags, taken = ["agent: good morning"], ["hello"], "none"
    for _ in range(draw.randint(1, 3)):
        what, answer = draw.choice(WHAT), draw.choice(("yes please", "no"))
        turns += [f"agent: is it about your {what}?", f"customer: {answer}"]
        tags += ["offer", what if answer != "no" else "no"]
        if answer != "no":
            taken = what
            break
    return {"call": turns, "tags": tags, "about": taken, "long": "yes" if len(turns) > 5 else "no"}


def calls(count, seed=0):
    draw = random.Random(seed)
    return [call(draw) for _ in range(count)]


def as_lines(rows):
    return [row | {"call": "\n".join(row["call"]), "tags": " ".join(row["tags"])} for row in rows]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("calls")
    tables.write(place / "train.jsonl", calls(300))
    tables.write(place / "test.jsonl", calls(60, seed=1))
    return place


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "r"
    given = TINY | {"epochs": 12.0, "input": "call", "output": ["tags", "about", "long"]}
    return elman.train("call-analysis", folder / "train.jsonl", test=folder / "test.jsonl", out=out, **given)


def test_what_an_answer_means_is_known_from_the_turns_before(trained):
    score, (usual, *_) = trained.scores["test"], trained.description["baselines"]["test"]
    assert next(iter(score)) == "tag_accuracy"
    assert score["tag_accuracy"] > 0.95
    assert score["label_accuracy"] == pytest.approx((score["accuracy_about"] + score["accuracy_long"]) / 2)
    assert score["accuracy_about"] > 0.9
    assert usual["name"] == "most frequent tag and label"
    assert usual["tag_accuracy"] < 0.5


def test_a_linear_model_that_sees_the_turn_before_is_the_rival(trained):
    pytest.importorskip("sklearn")
    linear = trained.description["baselines"]["test"][1]
    assert linear["name"] == "TF-IDF and logistic regression, each turn with the one before"
    assert linear["tag_accuracy"] > 0.93  # seeing each turn by itself, it could not know what "yes please" answers
    model = labels.LinearOnWords(["yes", "yes", "no", "no"], np.array([0, 1, 2, 2]), None, ["cat?", "dog?", "cat?", ""])
    assert model.predict(["yes", "yes", "no"], ["dog?", "cat?", "dog?"]).tolist() == [1, 0, 2]


def test_without_scikit_learn_a_note_says_what_is_missing(folder, trained, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    _, note = elman.load(trained.path).evaluate(folder / "test.jsonl")["baselines"]
    assert "pip install 'elman[baselines]'" in note["note"]


def test_calls_are_answered_from_lists_rows_and_tables(trained, folder):
    given = ["agent: good morning", "agent: is it about your loan?", "customer: yes please"]
    (found,) = trained.predict([given])
    assert found["call"] == given
    assert found["tags"] == ["hello", "offer", "loan"]
    assert found["about"] == "loan"
    assert len(found["tags_probability"]) == 3
    assert trained.predict([{"call": given}]) == [found]
    (lines,) = trained.predict(["\n".join(given)])
    assert lines["tags"] == found["tags"]
    assert len(trained.predict(folder / "test.jsonl")) == 60


def test_a_csv_with_a_turn_on_each_line_is_the_same_table(folder, tmp_path, trained):
    table = tables.write(tmp_path / "test.csv", as_lines(calls(60, seed=1)))
    score = trained.evaluate(table)["score"]
    assert score["tag_accuracy"] == trained.scores["test"]["tag_accuracy"]
    given = TINY | {"steps": 2, "input": "call", "output": ["tags", "about"]}
    run = elman.train(
        "call-analysis", tables.write(tmp_path / "t.csv", as_lines(calls(60))), out=tmp_path / "r", **given
    )
    assert set(run.scores["valid"]) >= {"tag_accuracy", "label_accuracy", "label_macro_f1"}


def test_in_one_direction_what_is_said_later_changes_no_tag(folder, tmp_path):
    given = TINY | {"steps": 20, "input": "call", "output": ["tags", "about"], "bidirectional": False}
    run = elman.train("call-analysis", folder / "train.jsonl", out=tmp_path / "r", **given)
    turns = max(calls(60, seed=2), key=lambda row: len(row["call"]))["call"]
    whole, *begun = run.predict([turns, *(turns[: k + 1] for k in range(len(turns)))])
    for k, found in enumerate(begun):
        assert found["tags"] == whole["tags"][: k + 1]
        assert np.allclose(found["tags_probability"], whole["tags_probability"][: k + 1], atol=1e-5)
    assert "bidirectional LSTM of 8 hidden units each way, over turns a LSTM" in run.description["model"]["summary"]


def test_labels_alone_and_tags_alone_are_answered(folder, tmp_path):
    for output, headline in (("about", "label_accuracy"), ("tags", "tag_accuracy")):
        given = TINY | {"steps": 2, "input": "call", "output": output}
        run = elman.train("call-analysis", folder / "train.jsonl", out=tmp_path / output, **given)
        assert next(iter(run.scores["valid"])) == headline
        assert elman.load(run.path).evaluate()["score"] == run.scores["valid"]


def test_the_report_tells_calls_turn_by_turn(trained):
    page = trained.report.read_text()
    shown = trained.description["calls"]
    assert len(shown) == 6
    assert page.count('class="texts call"') == 6
    assert "is it about your" in page
    for entry in shown:
        assert len(entry["turns"]) == len(entry["tags"]["tags"]["answer"]) == len(entry["labels"]["about"]["without"])


def test_the_report_names_the_turn_that_decided_a_label(trained):
    sure = [entry for entry in trained.description["calls"] if entry["labels"]["about"]["answer"] in WHAT]
    for entry in sure:
        label = entry["labels"]["about"]
        offered = next(k for k, turn in enumerate(entry["turns"]) if label["answer"] in turn)
        assert label["without"][offered] < label["probability"]
    assert sure


def test_a_report_survives_a_call_that_is_not_as_it_should_be(trained, tmp_path):
    description = (trained.path / "run.json").read_text()
    (tmp_path / "run.json").write_text(description.replace('"turns": [', '"turns": 1, "was": ['))
    assert "Call by call" not in write(tmp_path).read_text()


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ({3: {"tags": ["hello"]}}, {}, "row 4, column 'tags' has 1 items, but 'call' has"),
        ({3: {"call": []}}, {}, "row 4, column 'call' has no turns; remove the row"),
        ({3: {"call": ["a", ""]}}, {}, "row 4, column 'call' is empty in turn 2; fill it in, or remove the turn"),
        ({}, {"longest": 4}, "turns, more than 4; divide it, or train a new network with a larger --longest"),
    ],
)
def test_bad_requests_get_one_sentence_and_leave_nothing(tmp_path, rows, options, message):
    made = [{"call": row["call"], "tags": row["tags"]} for row in calls(30, seed=3)]
    for k, change in rows.items():
        made[k] |= change
    table = tables.write(tmp_path / "t.jsonl", made)
    with pytest.raises((DataError, UsageError)) as told:
        elman.train("call-analysis", table, out=tmp_path / "r", **TINY | {"output": "tags"} | options)
    assert message in str(told.value)
    assert not (tmp_path / "r").exists()
