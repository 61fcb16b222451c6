"""Tasks on tables: from a file to a run that answers, scores itself beside baselines and can be continued."""

import itertools
import json
import math
import random

import polars as pl
import pytest
import torch
from safetensors.torch import load_file

import elman
from elman import tasks
from elman.cli import output
from elman.data import tables
from elman.errors import DataError, RunError, UsageError
from elman.tasks import labels_of_rows

from .conftest import TINY, tagged, texts, waves

HEADLINES = {"texts.csv": "accuracy", "waves.jsonl": "accuracy", "tagged.jsonl": "entity_f1"}


@pytest.mark.parametrize("name", HEADLINES)
def test_a_run_learns_and_says_so_beside_its_baselines(trained, name):
    run, key = trained[name], HEADLINES[name]
    assert run.scores["test"][key] > 0.95
    assert next(iter(run.scores["test"])) == key
    assert run.description["baselines"]["test"][0][key] < 0.9
    assert run.scores["test"]["symbols"] == 60
    assert run.evaluate()["score"] == run.scores["test"]


@pytest.mark.parametrize("name", HEADLINES)
def test_a_file_is_scored_as_it_was_in_training(trained, folder, name):
    found = trained[name].evaluate(folder / f"test-{name}")
    assert found["score"] == trained[name].scores["test"]
    assert found["baselines"] == trained[name].description["baselines"]["test"]


def test_predictions_name_the_answer_and_how_sure_it_is(trained, folder):
    rows = trained["texts.csv"].predict(folder / "test-texts.csv")
    truth = tables.read(folder / "test-texts.csv").frame["label"].to_list()
    assert [row["label"] for row in rows] == truth
    assert all(0.5 <= row["label_probability"] <= 1 for row in rows)
    given = ["lovely day", {"text": "sad film"}]
    assert trained["texts.csv"].predict(given)[1]["label"] == "neg"
    frame = pl.DataFrame({"text": ["lovely day", "sad film"]})
    assert trained["texts.csv"].predict(frame) == trained["texts.csv"].predict(given)


def test_what_stands_beside_a_row_does_not_change_its_answer(trained):
    run = trained["texts.csv"]
    together = run.predict(["lovely day", "it was a very very sad and grey day and the film was dull", "fine"])
    alone = run.predict(["lovely day"])
    assert together[0]["label_probability"] == pytest.approx(alone[0]["label_probability"], abs=2e-6)


def alike(found, expected):
    """The same answers, probabilities to the rounding of float32."""
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.keys() == theirs.keys()
        for name, value in theirs.items():
            close = isinstance(value, float) or name.endswith("_probability")
            assert ours[name] == (pytest.approx(value, abs=2e-6) if close else value)


def test_the_rows_of_several_callers_are_answered_as_if_they_had_come_alone(trained):
    asked = {
        "waves.jsonl": [
            [{"signal": [[1, 2], [3, 4]]}],  # integers, which stay integers beside the others
            [{"signal": [[0.5, 5.0]] * 12}, {"signal": [[1.5, 4.0]] * 3}],
            [],
            [[[1, 5], [2, 4], [0, 6]]],
        ],
        "texts.csv": [["a lovely day"], [{"text": "the film was sad"}, "fine"]],
        "tagged.jsonl": [[["fly", "from", "oslo"]], [{"tokens": ["drive", "to", "new", "york", "please"]}]],
    }
    for name, requests in asked.items():
        run = trained[name]
        for found, rows in zip(run.predict_each(requests), requests, strict=True):
            alike(found, run.predict(rows))


def test_what_is_wrong_with_the_rows_of_one_caller_is_told_to_him_alone(trained):
    run = trained["texts.csv"]
    good, bad = ["a lovely day"], ["fine", ""]
    first, wrong, strange, last = run.predict_each([good, bad, [5], good])
    alike(first, run.predict(good))
    alike(last, run.predict(good))
    assert str(wrong) == "the table given, row 2, column 'text' is empty; fill it in, or remove the row"
    assert str(strange) == "the table given, row 1, column 'text' holds number, not text"


def test_tags_are_answered_one_for_each_token_with_the_label(trained):
    (row,) = trained["tagged.jsonl"].predict([{"tokens": ["drive", "to", "new", "york", "please"]}])
    assert row["tags"] == ["O", "O", "B-to", "I-to", "O"]
    assert len(row["tags_probability"]) == 5
    assert row["intent"] == "drive"


def test_tags_in_a_csv_are_texts_with_spaces(folder, tmp_path):
    path = tables.write(tmp_path / "t.csv", tagged(200))
    run = elman.train("tagging", path, output="tags", out=tmp_path / "r", quiet=True, **TINY)
    assert list(run.prepared.outputs) == ["tags"]
    assert run.scores["valid"]["entity_f1"] > 0.8
    assert run.predict(["fly from rome please"])[0]["tags"] == ["O", "O", "B-from", "O"]


def test_tags_that_are_no_spans_are_scored_by_themselves(tmp_path):
    rows = [{"tokens": row["text"].split(), "tags": [w[0] for w in row["text"].split()]} for row in texts(100)]
    run = elman.train("tagging", tables.write(tmp_path / "t.jsonl", rows), out=tmp_path / "r", quiet=True, **TINY)
    assert next(iter(run.scores["valid"])) == "tag_accuracy"


@pytest.mark.parametrize("unit", ["char", "byte", "subword"])
def test_texts_are_read_in_other_units(folder, tmp_path, unit):
    run = elman.train(
        "classification", folder / "texts.csv", out=tmp_path / "r", quiet=True, unit=unit, symbols=300, **TINY
    )
    assert math.isfinite(run.scores["valid"]["loss"])
    assert run.predict(["lovely"])[0]["label"] in ("pos", "neg")


def ups(count, numbers=False):
    """A noisy walk; the tag says whether it has just gone up, the kind where it ends."""
    draw, rows = random.Random(count), []
    for _ in range(count):
        steps = [draw.choice((-1, 1)) for _ in range(draw.randint(4, 12))]
        walk = list(itertools.accumulate(steps))
        tags = [int(step > 0) if numbers else ["down", "up"][step > 0] for step in steps]
        rows.append(
            {"walk": [[at, draw.random()] for at in walk], "moves": tags, "end": "high" if walk[-1] > 0 else "low"}
        )
    return rows


def test_every_step_of_a_series_is_tagged_beside_the_nearest_step(tmp_path):
    path, test = tables.write(tmp_path / "t.jsonl", ups(150)), tables.write(tmp_path / "u.jsonl", ups(40))
    run = elman.train("tagging", path, test=test, output=["moves", "end"], out=tmp_path / "r", quiet=True, **TINY)
    scored = run.evaluate()
    assert [entry["name"] for entry in scored["baselines"]] == [
        "most frequent tag; most frequent label",
        "tag of the nearest time step; most frequent label",
    ]
    assert scored["score"]["tag_accuracy"] > 0.9
    assert max(entry["tag_accuracy"] for entry in scored["baselines"]) < 0.8
    (answer,) = run.predict([{"walk": [[0, 0.5], [1, 0.5], [0, 0.5]]}])
    assert answer["moves"][1:] == ["up", "down"]
    assert answer["end"] in ("high", "low")
    assert "Below the curves the right tags" in run.report.read_text()


def test_tags_may_be_whole_numbers(tmp_path):
    run = elman.train(
        "tagging",
        tables.write(tmp_path / "t.jsonl", ups(60, numbers=True)),
        input="walk",
        output="moves",
        out=tmp_path / "r",
        quiet=True,
        **(TINY | {"epochs": 1.0}),
    )
    (answer,) = run.predict([[[0, 0.5], [1, 0.5]]])
    assert set(map(repr, answer["moves"])) <= {"0", "1"}


@pytest.mark.parametrize(
    "options",
    [
        {"cell": "gru", "layers": 2, "bidirectional": False},
        {"cell": "rnn", "optimizer": "sgd", "rate": 0.1, "accumulate": 2},
        {"minutes": 0.005, "epochs": None, "label_smoothing": 0.0, "average": 0.0},
        {"precision": "bfloat16", "patience": 1, "batch": 500, "held_out": 0.3},
        {"noise": 0.0, "input": "signal", "output": "kind"},
    ],
    ids=str,
)
def test_every_option_trains_and_serves(folder, tmp_path, options):
    given = TINY | {"epochs": 2.0} | options
    run = elman.train("classification", folder / "waves.jsonl", out=tmp_path / "r", quiet=True, **given)
    assert math.isfinite(run.scores["valid"]["loss"])
    assert run.evaluate()["score"] == run.scores["valid"]


def test_few_rows_are_learnt_from_in_small_batches(folder, tmp_path):
    options = TINY | {"epochs": 1.0, "batch": None}
    run = elman.train("classification", folder / "waves.jsonl", out=tmp_path / "r", quiet=True, **options)
    assert run.description["training"]["steps"] == -(-270 // (270 // 60))


def test_the_report_shows_confusions_mistakes_and_spans(trained):
    found = {name: run.report.read_text() for name, run in trained.items()}
    assert "What it confuses" in found["texts.csv"]
    assert "What it tags" in found["tagged.jsonl"]
    assert "TF-IDF and logistic regression" in found["texts.csv"]
    assert "nearest neighbour" in found["waves.jsonl"]


def test_the_held_out_rows_are_no_longer_in_training(trained):
    prepared = trained["waves.jsonl"].prepared
    rows = {part: set(prepared.column(part, "kind").rows.tolist()) for part in ("train", "valid")}
    assert rows["train"] | rows["valid"] == set(range(1, 301))
    assert not rows["train"] & rows["valid"]
    assert len(rows["valid"]) == 30


def test_a_continued_run_ends_with_the_same_weights(folder, tmp_path):
    from tests.run.test_train import interrupt_at

    options = TINY | {"epochs": None, "steps": 30, "average": 0.9, "validations": 3}
    whole = elman.train("classification", folder / "texts.csv", out=tmp_path / "whole", quiet=True, **options)
    with pytest.MonkeyPatch.context() as patch:
        interrupt_at(patch, 13)
        elman.train("classification", folder / "texts.csv", out=tmp_path / "part", quiet=True, **options)
    elman.train("classification", folder / "texts.csv", out=tmp_path / "part", quiet=True, resume=True)
    for name in ("model.safetensors", "state/checkpoint.safetensors"):
        ours, theirs = load_file(tmp_path / "part" / name), load_file(whole.path / name)
        assert [key for key in theirs if not torch.equal(ours[key], theirs[key])] == []
    with pytest.raises(RunError, match="is not the train table that the run was begun with"):
        elman.train("classification", folder / "waves.jsonl", out=tmp_path / "part", quiet=True, resume=True)


def test_a_run_outlives_its_files(folder, tmp_path):
    moved = tmp_path / "t.csv"
    moved.write_bytes((folder / "texts.csv").read_bytes())
    run = elman.train("classification", moved, out=tmp_path / "r", quiet=True, **(TINY | {"epochs": 1.0}))
    moved.unlink()
    again = elman.load(tmp_path / "r")
    assert again.evaluate()["score"] == run.scores["valid"]
    with pytest.raises(UsageError, match="a classification run does not generate; let it predict rows"):
        next(again.generate())
    with pytest.raises(UsageError, match="a classification run reads whole rows, nothing without end"):
        again.stream()


@pytest.mark.parametrize("make", [texts, waves])
def test_baselines_of_a_table_sorted_by_label_know_every_label(tmp_path, monkeypatch, make):
    monkeypatch.setattr(labels_of_rows, "LIMIT", 60)
    rows = sorted(make(300), key=lambda row: row.get("label", row.get("kind")))
    run = elman.train("classification", rows, out=tmp_path / "r", quiet=True, **TINY | {"epochs": None, "steps": 1})
    found = run.description["baselines"]["valid"][1]
    assert found["name"].endswith(" on 60 of the rows")
    assert found.get("accuracy", 1) > 0.8  # it is not measured without scikit-learn


def test_without_scikit_learn_the_linear_baseline_says_how_to_get_it(trained, folder, monkeypatch, capsys):
    import sys

    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    found = trained["texts.csv"].evaluate(folder / "test-texts.csv")
    assert found["baselines"][1].keys() == {"name", "note"}
    output.print_scores(found["data"], found["score"], found["baselines"])
    assert capsys.readouterr().out.endswith("not measured: it needs scikit-learn; pip install 'elman[baselines]'\n")
    other = trained["tagged.jsonl"].evaluate(folder / "test-tagged.jsonl")
    assert other["baselines"][0]["name"] == "most frequent tag of each token; most frequent label"


def test_columns_may_have_any_name_and_every_row_its_own_tags(tmp_path):
    rows = [{"row": f"w{k} x{k}", "series": f"t{k % 3} t{k}"} for k in range(40)]
    path = tables.write(tmp_path / "t.csv", rows)
    options = TINY | {"epochs": 1.0, "input": "row", "output": "series"}
    run = elman.train("tagging", path, out=tmp_path / "r", quiet=True, **options)
    assert run.scores["valid"]["symbols"] == 4
    assert elman.load(run.path).evaluate()["score"] == run.scores["valid"]


FURTHER = '''"""Spotting: does a text hold a certain word? The smallest task there can be."""

from elman.modalities.label import Label
from elman.modalities.words import Words
from elman.tasks.examples import ExampleOptions, ExampleTask


class Spotting(ExampleTask):
    """P(label | text), scored by how many are right."""

    name = "spotting"
    topology = "many-to-one"
    metric = "rows right"
    baseline_name = "none"
    Options = ExampleOptions
    inputs = ("text",)
    answers = ("text",)
    modalities = (Words, Label)

    def fit(self, input, outputs, options):
        return Words.fit(input), [Label.fit(column) for column in outputs]

    def figures(self, prepared, part, found):
        targets = prepared.examples(part).targets["label"].values
        right = int((found["label"].choices.values == targets).sum())
        return {"right": right, "symbols": len(targets), "unit": "row"}

    def baselines(self, prepared, part):
        return []
'''


def test_a_further_task_is_one_file_and_one_entry(folder, tmp_path, monkeypatch, capsys):
    (tmp_path / "spotting.py").write_text(FURTHER)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(tasks.TASKS, "spotting", tasks.Entry("spotting:Spotting", "spot a word"))
    run = elman.train("spotting", folder / "texts.csv", out=tmp_path / "r", quiet=True, **TINY)
    assert run.scores["valid"]["right"] > 20
    assert run.predict(["lovely"])[0].keys() == {"text", "label", "label_probability"}
    assert "Right" in run.report.read_text()
    output.print_scores("valid", run.scores["valid"], [])
    assert capsys.readouterr().out.split()[:4] == ["valid:", "30", "rows", "right"]
    assert json.loads((run.path / "run.json").read_text())["task"] == "spotting"


ROLES = [
    ([{"text": "a b", "label": "x"}] * 2, {}, ("text", "label")),
    (
        [{"id": str(k), "said": f"a b {k}", "mood": "x"} for k in range(4)],
        {"output": ["mood"], "input": ["said"]},
        ("said", "mood"),
    ),
    ([{"points": [[1, 2]], "digit": "8", "writer": 3}] * 2, {"output": ["digit"]}, ("points", "digit")),
    ([{"points": [[1, 2]], "digit": 8}] * 2, {}, ("points", "digit")),
    ([{"q": f"a {k}", "kind": "xy"[k % 2]} for k in range(8)], {}, ("q", "kind")),
]


@pytest.mark.parametrize(("rows", "given", "expected"), ROLES)
def test_columns_are_found_by_what_they_hold(rows, given, expected):
    from elman.tasks.classification import Classification

    options = Classification.Options(input=list(given.get("input", ())), output=list(given.get("output", ())))
    found = Classification().roles(tables.from_rows(rows, "t"), options)
    assert (found.input, *found.outputs) == expected
    assert bool(found.notes) == (len(given) < 2)


def test_an_empty_column_has_no_role(tmp_path):
    (tmp_path / "t.csv").write_text("q,kind,notes\n" + "".join(f"a {k},{'xy'[k % 2]},\n" for k in range(60)))
    run = elman.train("classification", tmp_path / "t.csv", out=tmp_path / "r", quiet=True, **TINY)
    assert run.prepared.columns == {"read": ["q"], "answered": ["kind"]}


def bad(rows, test=None, task="classification", **options):
    return rows, test, task, options


BAD = {
    "ten rows": (bad(texts(10)), DataError, "has only 10 rows, too few"),
    "no such column": (bad(texts(30), output=["mood"]), DataError, "has no column 'mood'; it has 'text', 'label'"),
    "named twice": (bad(texts(30), input=["text"], output=["text"]), UsageError, "'text' is named twice"),
    "two inputs": (bad(texts(30), input=["text", "label"]), UsageError, "a row per time step is read by its numbers"),
    "ambiguous": (bad([{"a": f"x {k}", "b": f"y {k}"} for k in range(30)]), UsageError, "say it: --output COLUMN"),
    "empty text": (bad([*texts(30), {"text": " ", "label": "pos"}]), DataError, "row 31, column 'text' is empty"),
    "no label": (bad([*texts(30), {"text": "a", "label": None}]), DataError, "row 31, column 'label' is empty"),
    "unseen label": (
        bad(texts(30), [{"text": "a", "label": "pos"}, {"text": "a", "label": "odd"}]),
        DataError,
        "row 2, column 'label' is 'odd', which training has never seen; there were 'neg', 'pos'",
    ),
    "one label": (bad([row | {"label": "x"} for row in texts(30)]), DataError, "there is nothing to tell apart"),
    "long text": (bad([*texts(30), {"text": "a " * 100_000, "label": "pos"}]), DataError, "has 100,000 words"),
    "ragged tags": (
        bad([*tagged(30), {"tokens": ["a", "b"], "tags": ["O"], "intent": "fly"}], task="tagging"),
        DataError,
        "row 31, column 'tags' has 1 items, but 'tokens' has 2; give one for each",
    ),
    "unseen tag": (
        bad(tagged(30), [{"tokens": ["a"], "tags": ["B-x"], "intent": "fly"}], task="tagging"),
        DataError,
        "row 1, column 'tags' has the tag 'B-x', which training has never seen",
    ),
    "no tags": (
        bad(tagged(30), task="tagging", input=["tokens"], output=["intent"]),
        UsageError,
        "name a column of tags with --output",
    ),
    "wrong share": (bad(texts(30), held_out=0.9), UsageError, "--held-out 0.9 is out of range"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_table_is_told_in_one_sentence_and_nothing_is_written(tmp_path, monkeypatch, name):
    (rows, test, task, options), kind, message = BAD[name]
    monkeypatch.chdir(tmp_path)
    files = {"data": tables.write(tmp_path / "t.jsonl", rows)}
    if test is not None:
        files["test"] = tables.write(tmp_path / "test.jsonl", test)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(kind) as told:
        elman.train(task, **files, out=tmp_path / "r", quiet=True, **(TINY | options))
    assert message in str(told.value)
    assert "\n" not in str(told.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_missing_or_unknown_column_in_what_is_to_be_predicted(trained):
    with pytest.raises(DataError, match="the table given has no column 'text'"):
        trained["texts.csv"].predict([{"txet": "a"}])
    assert trained["texts.csv"].predict([]) == []
