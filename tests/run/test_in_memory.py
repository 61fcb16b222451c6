"""A run on data in memory is that on the same data in files, and goes on as such."""

import numpy as np
import polars as pl
import pytest
from safetensors.torch import load_file

import elman
from elman.data import given
from elman.errors import RunError

TINY = {"hidden": 8, "steps": 6, "quiet": True}


@pytest.fixture(scope="module")
def rows():
    generator = np.random.default_rng(0)
    return [
        {"x": generator.standard_normal((5 + number % 4, 2)) + number % 2, "label": "ab"[number % 2]}
        for number in range(40)
    ]


def weights(run):
    return {name: tensor.tolist() for name, tensor in load_file(run.path / "model.safetensors").items()}


def test_it_is_the_run_on_the_same_file(rows, tmp_path):
    table = tmp_path / "table.parquet"
    pl.DataFrame([row | {"x": row["x"].tolist()} for row in rows]).write_parquet(table)
    from_file = elman.train("classification", table, out=tmp_path / "file", **TINY)
    in_memory = elman.train("classification", rows, test=rows[:9], out=tmp_path / "memory", **TINY)
    assert weights(in_memory) == weights(from_file)
    columns = {name: [row[name] for row in rows] for name in ("x", "label")}
    assert in_memory.evaluate(columns)["score"] == from_file.evaluate(table)["score"]
    assert in_memory.predict(rows) == from_file.predict(table) == in_memory.predict(columns)
    assert in_memory.scores["test"]["symbols"] == 9


@pytest.mark.parametrize("labels", [np.arange(40) % 2, np.arange(40) % 2 == 1, np.arange(40) % 2 / 1.0])
def test_answers_are_of_the_type_that_was_trained(rows, labels, tmp_path):
    table = {"x": [row["x"] for row in rows], "label": labels}
    run = elman.train("classification", table, out=tmp_path / "run", **TINY)
    given.table(table, "it").frame.write_parquet(tmp_path / "t.parquet")
    for found in (run.predict(table), elman.load(run.path).predict(tmp_path / "t.parquet")):
        assert {type(each["label"]) for each in found} == {type(labels[0].item())}
    said = run.predictions(tmp_path / "t.parquet").table()
    assert said["predicted_label"].dtype == said["label"].dtype
    assert run.evaluate(table)["score"] == run.evaluate(table | {"label": (np.arange(40) % 2).tolist()})["score"]


def test_tags_are_of_the_type_that_was_trained(rows, tmp_path):
    tagged = [{"x": row["x"], "tags": (row["x"][:, 0] > 0).astype(int)} for row in rows]
    run = elman.train("tagging", tagged, output="tags", out=tmp_path / "run", bidirectional=False, **TINY)
    assert {type(tag) for row in run.predict(tagged) for tag in row["tags"]} == {int}
    assert type(run.stream().feed(rows[0]["x"][:1])[0]["tags"]) is int
    flat = {"x": np.concatenate([row["x"] for row in tagged])[:, 0]}
    flat["tag"] = flat["x"] > 0
    steps = elman.train("tagging", flat, input="x", output="tag", out=tmp_path / "steps", **TINY)
    assert {type(row["tag"]) for row in steps.predict(flat)} == {bool}


def test_it_is_continued_with_the_same_data_alone(rows, tmp_path):
    short = elman.train("classification", rows, out=tmp_path / "run", **TINY | {"steps": 3})
    with pytest.raises(RunError, match="the training data is not the train table"):
        elman.train("classification", rows[1:], out=short.path, resume=True, steps=6, quiet=True)
    again = elman.train("classification", rows, out=short.path, resume=True, steps=6, quiet=True)
    assert again.description["training"]["steps"] == 6


def test_the_folder_is_named_after_the_task(rows, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = elman.train("forecasting", {"y": np.sin(np.arange(300) / 5)}, horizon=3, **TINY)
    assert str(run.path).replace("\\", "/") == "runs/forecasting-1"
    assert len(run.predict({"y": np.sin(np.arange(100) / 5)})) == 3
