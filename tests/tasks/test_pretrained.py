"""A network that was trained learns on, from new data, in a run of its own."""

import math
import sys

import pytest
import torch
from safetensors.torch import load_file
from tests.tasks import conftest as made

import elman
from elman.data import tables
from elman.errors import DataError, RunError, UsageError
from elman.training.loop import Trainer

BEFORE = "the same before it learnt on"
STILL = {"steps": 2, "rate": 0.0, "weight_decay": 0.0, "precision": "float32"}


def weights(run):
    return load_file(run.path / "model.safetensors")


def same(some, others):
    return some.keys() == others.keys() and all(torch.equal(some[name], others[name]) for name in some)


def uncalibrated(run):
    """A run's weights before the scores of each output were divided by a temperature."""
    found = weights(run)
    for k, temperature in enumerate(run.description["temperatures"].values()):
        for kind in ("weight", "bias"):
            found[f"outputs.{k}.head.linear.{kind}"] *= temperature
    return found


def alike(some, others):
    """The same weights, to the rounding of those that were divided and multiplied."""
    torch.testing.assert_close(some, others, rtol=1e-6, atol=0)
    return same(*({name: value for name, value in each.items() if "head" not in name} for each in (some, others)))


@pytest.fixture(scope="module")
def hard(tmp_path_factory):
    """Texts whose good and bad words are others than those of the tables, and some held-out ones."""
    place = tmp_path_factory.mktemp("hard")
    other = dict(zip((*made.GOOD, *made.BAD), ("grand", "superb", "neat", "poor", "flat", "stale"), strict=True))
    for name, seed in (("train.csv", 5), ("test.csv", 6)):
        rows = made.texts(120, seed)
        for row in rows:
            row["text"] = " ".join(other.get(word, word) for word in row["text"].split())
        tables.write(place / name, rows)
    return place


@pytest.mark.parametrize(
    ("name", "rows"), [("texts.csv", made.texts), ("waves.jsonl", made.waves), ("tagged.jsonl", made.tagged)]
)
def test_it_begins_as_the_network_was_and_reads_and_answers_as_it_did(name, rows, trained, tmp_path):
    before = trained[name]
    for part, seed in (("train", 2), ("test", 3)):
        tables.write(tmp_path / f"{part}-{name}", rows(60, seed))
    new, held = tmp_path / f"train-{name}", tmp_path / f"test-{name}"
    run = elman.train(before.task, new, test=held, pretrained=before.path, out=tmp_path / "r", quiet=True, **STILL)
    assert alike(uncalibrated(run), weights(before))
    assert run.description["modalities"] == before.description["modalities"]
    expected = before.evaluate(held)["score"]
    first = run.description["baselines"]["test"][0]
    assert first.pop("name") == BEFORE
    assert first == expected
    assert {**run.scores["test"], "loss": None} == {**expected, "loss": None}  # it is calibrated anew


def test_what_is_new_is_learnt_and_the_report_and_the_table_say_what_it_was_worth_before(
    hard, trained, tmp_path, capsys, monkeypatch
):
    from elman.cli import main

    before, out = trained["texts.csv"], tmp_path / "r"
    options = ["--epochs", "20", "--batch", "16", "--quiet", "--out", str(out), "--pretrained", str(before.path)]
    command = ["train", "classification", str(hard / "train.csv"), "--test", str(hard / "test.csv"), *options]
    monkeypatch.setattr(sys, "argv", ["elman", *command])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    run = elman.load(out)
    accuracy = {each["name"]: each["accuracy"] for each in run.description["baselines"]["test"]}
    assert run.scores["test"]["accuracy"] > accuracy[BEFORE] + 0.15
    assert BEFORE in capsys.readouterr().out
    report = run.report.read_text()
    assert BEFORE in report
    assert str(before.path) in report
    assert run.description["pretrained"]["sha256"] == before.fingerprint


def test_options_that_shape_the_network_stay_and_those_of_training_are_told_anew(hard, trained, tmp_path):
    before = trained["texts.csv"]
    run = elman.train("classification", hard / "train.csv", pretrained=before, out=tmp_path / "r", quiet=True, steps=1)
    kept, usual = run.options, type(run.options)()
    assert (kept.hidden, kept.embedding) == (before.options.hidden, before.options.embedding) == (16, 16)
    assert (kept.dropout, kept.batch) == (usual.dropout, usual.batch) != (before.options.dropout, before.options.batch)
    assert kept.rate == type(usual).usual_of("adamw")["rate"] / 2
    with pytest.raises(UsageError, match=r"^--hidden stays what it is in the pretrained run, 16, .*; leave it out, or"):
        elman.train("classification", hard / "train.csv", pretrained=before, out=tmp_path / "s", hidden=24)
    same_size = elman.train(
        "classification", hard / "train.csv", pretrained=before, out=tmp_path / "t", quiet=True, hidden=16, **STILL
    )
    assert same_size.options.hidden == 16
    assert not (tmp_path / "s").exists()


def test_of_weights_that_only_get_worse_the_first_are_kept(hard, trained, tmp_path):
    before = trained["texts.csv"]
    given = {"valid": made.texts(60, 9), "pretrained": before, "steps": 20, "rate": 0.5, "average": 0.0}
    run = elman.train("classification", hard / "train.csv", out=tmp_path / "r", quiet=True, **given)
    assert run.description["training"]["best_step"] == 0
    kept, old = uncalibrated(run), weights(before)
    assert alike({name: value[: len(old[name])] for name, value in kept.items()}, old)
    new = len(run.prepared.input.words) - len(before.prepared.input.words)
    assert new == len({*made.GOOD, *made.BAD})
    assert not kept["reader.words.weight"][-new:].any()


def test_a_language_model_takes_characters_that_are_new_for_unknown_ones_at_first(run, tmp_path, capsys):
    text = tmp_path / "new.txt"
    text.write_text("a cat and a döß sat.\n" * 100)
    on = elman.train("language-modeling", text, pretrained=run, out=tmp_path / "r", **STILL)
    assert "New to the pretrained network: the characters 'ß', 'ö'." in capsys.readouterr().err
    known, more = run.prepared.text.unit.characters, on.prepared.text.unit.characters
    assert more == known + "ßö"
    assert on.description["data"]["train"]["unknown"] == 0
    assert on.description["baselines"]["valid"][0]["loss"] == on.scores["valid"]["loss"]
    for name, value in weights(on).items():
        old = weights(run)[name]
        assert torch.equal(value[: len(old)], old)
        assert all(torch.equal(row, old[-1]) for row in value[len(old) :])  # as the unknown symbol, which is the last
    assert len(weights(on)["head.linear.bias"]) == len(known) + 3


def test_what_does_not_grow_stays_what_it_is(run, tmp_path):
    text = tmp_path / "new.txt"
    text.write_text("a cat and a dog sat.\n" * 100)
    words = elman.train("language-modeling", text, unit="word", out=tmp_path / "w", quiet=True, steps=1)
    on = elman.train("language-modeling", text, pretrained=words, out=tmp_path / "r", quiet=True, **STILL)
    assert same(weights(on), weights(words))
    assert on.description["modalities"] == words.description["modalities"]


def animals(name, rows):
    """Every other row begins with a word, and has a label or tag, that are new."""
    for row in rows[::2]:
        if name == "texts.csv":
            row |= {"text": f"zebra {row['text']}", "label": "animal"}
        else:
            row |= {"tokens": ["zebra", *row["tokens"]], "tags": ["B-animal", *row["tags"]]}
    return rows


@pytest.mark.parametrize(
    ("name", "rows", "answered", "what"),
    [("texts.csv", made.texts, "label", "labels 'animal'"), ("tagged.jsonl", made.tagged, "tags", "tags 'B-animal'")],
)
def test_labels_and_tags_that_are_new_are_learnt(name, rows, answered, what, trained, tmp_path, capsys):
    before, data = trained[name], animals(name, rows(120, 4))
    given = {"pretrained": before, "test": animals(name, rows(60, 5)), "epochs": 60, "batch": 16, "dropout": 0.0}
    run = elman.train(before.task, data, out=tmp_path / "r", **given)
    assert f"New to the pretrained network: the {what}." in capsys.readouterr().err
    symbols = before.prepared.outputs[answered].symbols
    assert run.prepared.outputs[answered].symbols == [*symbols, what.split("'")[1]]
    measure = "accuracy" if answered == "label" else "entity_f1"
    assert run.scores["test"][measure] > 0.95
    assert run.description["baselines"]["test"][0][measure] < 0.9
    first = run.predict([{key: value for key, value in data[0].items() if key not in (answered, "intent")}])[0]
    assert "animal" in str(first)


def test_a_forecaster_keeps_its_scales_and_measures_series_that_are_new(tmp_path):
    def table(names, level):
        return [
            {"site": site, "load": level * (k + 1) + math.sin(t / 3)}
            for k, site in enumerate(names)
            for t in range(120)
        ]

    options = {"group": "site", "context": 24, "segment": 6, "horizon": 6, "hidden": 8, "scale": "series", "steps": 3}
    old = elman.train("forecasting", table("ab", 10), out=tmp_path / "old", quiet=True, **options)
    new = elman.train("forecasting", table("bc", 99), pretrained=old, out=tmp_path / "new", quiet=True, **STILL)
    assert same(weights(new), weights(old))
    assert new.description["modalities"]["layout"] == old.description["modalities"]["layout"]
    known, more = old.prepared.forecast.series, new.prepared.forecast.series
    assert sorted(more) == ["a", "b", "c"]
    assert (more["b"] == known["b"]).all()
    assert more["c"][0, 0] == pytest.approx(2 * 99, abs=1)


def test_a_run_that_was_killed_at_once_begins_again_with_the_pretrained_weights(hard, trained, tmp_path):
    class Killed(BaseException):
        pass

    def killed(self, share):
        raise Killed

    given = {"pretrained": trained["texts.csv"], "quiet": True, "steps": 6, "precision": "float32"}
    whole = elman.train("classification", hard / "train.csv", out=tmp_path / "whole", **given)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "update", killed)
        with pytest.raises(Killed):
            elman.train("classification", hard / "train.csv", out=tmp_path / "part", **given)
    copy = tmp_path / "part" / "state" / "pretrained.safetensors"
    content = copy.read_bytes()
    copy.unlink()
    with pytest.raises(RunError, match=r"pretrained\.safetensors is missing: the run is incomplete; train it anew"):
        elman.train("classification", hard / "train.csv", out=tmp_path / "part", quiet=True, resume=True)
    copy.write_bytes(content)
    part = elman.train("classification", hard / "train.csv", out=tmp_path / "part", quiet=True, resume=True)
    assert same(weights(part), weights(whole))
    assert part.description["baselines"] == whole.description["baselines"]


def test_a_wrong_request_gets_one_sentence_and_leaves_nothing(hard, trained, run, tmp_path):
    before, out = trained["texts.csv"], tmp_path / "r"
    new = hard / "train.csv"
    with pytest.raises(RunError, match=r"mat is a run of language-modeling, not of classification, so its network"):
        elman.train("classification", new, pretrained=run, out=out)
    with pytest.raises(RunError, match=r"there is no run folder \S*nowhere"):
        elman.train("classification", new, pretrained=tmp_path / "nowhere", out=out)
    with pytest.raises(UsageError, match=r"^--pretrained begins a new run, and --resume goes on with one; give one"):
        elman.train("classification", new, pretrained=before, out=before.path, resume=True)
    rows = [{"text": "a fine day", "label": 3}] * 30
    with pytest.raises(DataError, match=r"row 1, column 'label' is 3, which training has never seen"):
        elman.train("classification", rows, pretrained=before, out=out)
    rows = [{"text": f"a fine day {k}", "label": f"my own {k}"} for k in range(60)]
    with pytest.raises(DataError, match=r"column 'label' has 60 different values in 60 rows"):
        elman.train("classification", rows, pretrained=before, out=out)
    with pytest.raises(DataError, match=r"no column 'text'"):
        elman.train("classification", [{"words": "a", "label": "pos"}] * 30, pretrained=before, out=out)
    with pytest.raises(UsageError, match=r"^pretrained must be the path of a folder, got 7$"):
        elman.train("classification", new, pretrained=7, out=out)
    assert not out.exists()
