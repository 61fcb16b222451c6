"""Runs looked into: `elman diagnose`, `--diagnose every=N`, and that training goes on as without it."""

import itertools
import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.conftest import TINY

import elman
from elman.data.buckets import Buckets


def test_a_run_is_diagnosed_as_it_would_train_on(run):
    found = run.diagnose()
    (layer,) = found.layers
    assert (layer.name, layer.cell, layer.hidden) == ("recurrence", "lstm", 24)
    assert found.window == 16
    assert layer.steps == 64
    assert 16 in found.truncation
    lines = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    norms = np.array([line["gradient_norm"] for line in lines if "gradient_norm" in line])  # as training saw them
    assert found.clipping == pytest.approx({share: np.quantile(norms, 1 - share) for share in (0.5, 0.1, 0.01)})
    assert found.trial.rate == pytest.approx(run.options.rate * run.options.final_rate)  # at the budget's end
    assert run.description["diagnosis"]["layers"][0]["decay_per_step"] == pytest.approx(layer.decay_per_step)
    assert "How it learns" in run.report.read_text()


def test_dropout_has_no_part_in_what_a_run_is_told(run, tmp_path):
    assert run.options.dropout > 0
    shutil.copytree(run.path, tmp_path / "r")
    described = json.loads((tmp_path / "r" / "run.json").read_text())
    described["options"]["dropout"] = 0.0
    (tmp_path / "r" / "run.json").write_text(json.dumps(described))
    found, without = run.diagnose(), elman.load(tmp_path / "r").diagnose()
    assert found.loss == without.loss
    assert found.layers[0].gradient_norm == without.layers[0].gradient_norm


def test_the_command_prints_text_json_and_a_page(run, text_file, command, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*")}
    status, out, err = command("diagnose", run.path, "--html", tmp_path / "page.html")
    assert status == 0
    assert "factor per step back" in out
    assert err == f"wrote {tmp_path / 'page.html'}\n"
    assert "<svg" in (tmp_path / "page.html").read_text()
    status, out, err = command("diagnose", run.path, text_file, "--json")
    assert (status, err) == (0, "")
    assert json.loads(out)["layers"][0]["name"] == "recurrence"
    assert {path: path.stat().st_mtime_ns for path in run.path.rglob("*")} == before


def test_what_cannot_be_diagnosed_gets_one_sentence(run, command, tmp_path):
    copy = tmp_path / "untrained"
    shutil.copytree(run.path, copy)
    (copy / "model.safetensors").unlink()
    status, out, err = command("diagnose", copy)
    assert (status, out) == (1, "")
    assert err.startswith(f"elman: {copy} has no trained weights yet; train it with: elman train")
    (tmp_path / "short.txt").write_text("the")
    status, out, err = command("diagnose", run.path, tmp_path / "short.txt")
    assert (status, out) == (2, "")
    assert err.startswith("elman: the batch has ")
    assert err.count("\n") == 1
    status, out, err = command("diagnose", tmp_path / "nowhere")
    assert (status, out) == (1, "")
    assert err.startswith("elman: there is no run folder")


def test_training_looks_inside_and_ends_with_the_same_weights(text_file, tmp_path, monkeypatch):
    monkeypatch.setattr("elman.training.loop.DIAGNOSIS_SHARE", 1e9)
    options = TINY | {"dropout": 0.2, "quiet": True}
    plain = elman.train("language-modeling", text_file, out=tmp_path / "plain", **options)
    looked = elman.train("language-modeling", text_file, out=tmp_path / "looked", diagnose="every=10", **options)
    for name in ("model.safetensors", "state/checkpoint.safetensors"):
        ours, theirs = load_file(plain.path / name), load_file(looked.path / name)
        assert [key for key in theirs if not torch.equal(ours[key], theirs[key])] == []
    lines = [json.loads(line) for line in (looked.path / "metrics.jsonl").read_text().splitlines()]
    seen = [line for line in lines if line.get("event") == "diagnosis"]
    assert [line["step"] for line in seen] == [10, 20, 30, 40]
    assert seen[0]["layers"][0]["decay_per_step"] > 0
    assert "While learning" in looked.report.read_text()


def test_looking_inside_takes_a_small_part_of_the_time(text_file, tmp_path):
    options = TINY | {"steps": 100, "quiet": True}
    looked = elman.train("language-modeling", text_file, out=tmp_path / "r", diagnose="every=1", **options)
    lines = [json.loads(line) for line in (looked.path / "metrics.jsonl").read_text().splitlines()]
    assert 1 <= sum(line.get("event") == "diagnosis" for line in lines) < 50


def test_training_goes_on_where_a_batch_is_too_short_to_be_looked_into(text_file, tmp_path):
    run = elman.train(
        "language-modeling", text_file, out=tmp_path / "r", diagnose="every=1", **TINY | {"window": 2, "quiet": True}
    )
    assert run.description["status"] == "finished"


def test_a_first_batch_that_is_too_short_to_be_followed_is_passed_over(tmp_path):
    lengths = np.tile([1, 6], 20)
    rows = [{"text": " ".join(["so"] * steps), "label": "long" if steps > 1 else "short"} for steps in lengths]
    seed = next(seed for seed in itertools.count() if Buckets(lengths.__getitem__, lengths, 1, seed).next() == 1)
    options = {"batch": 1, "seed": seed, "steps": 1, "hidden": 4, "precision": "float32", "quiet": True}
    run = elman.train("classification", rows, valid=rows, out=tmp_path / "r", **options)
    assert run.diagnose().layers[0].steps == 6
    assert run.description["diagnosis"]["layers"][0]["steps"] == 6


@pytest.mark.parametrize("value", ["100", "every=", "every=0", "each=10", "every=-5"])
def test_how_often_is_checked_before_anything_is_made(text_file, tmp_path, value):
    with pytest.raises(elman.UsageError, match="write every=N"):
        elman.train("language-modeling", text_file, out=tmp_path / "r", diagnose=value, **TINY)
    assert not (tmp_path / "r").exists()
