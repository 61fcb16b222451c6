"""Tasks that hear: from a table of sound files to a run that labels them, or writes down what is said in them."""

import json
import random
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile

import elman
from elman.data import tables
from elman.errors import DataError, UsageError
from elman.tasks import text_measures

TINY = {
    "batch": 16,
    "hidden": 24,
    "embedding": 24,
    "bands": 12,
    "rate": 0.02,
    "warmup": 10,
    "average": 0.9,
    "precision": "float32",
    "dropout": 0.0,
    "input_dropout": 0.0,
    "masks": 0,
}
PITCHES = {"do": 400, "re": 700, "mi": 1200, "fa": 2000}
RATE = 8000


def sung(names, draw):
    """A tone for each name, of unequal length, with pauses between."""
    parts = []
    for name in names:
        seconds = draw.uniform(0.08, 0.16)
        parts += [np.sin(2 * np.pi * PITCHES[name] * np.arange(round(seconds * RATE)) / RATE), np.zeros(RATE // 20)]
    sound = np.concatenate(parts)
    return 0.3 * sound + 0.003 * np.random.default_rng(draw.randint(0, 10**6)).standard_normal(len(sound))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Melodies, and what is sung in them."""
    place, draw = tmp_path_factory.mktemp("sounds"), random.Random(0)
    (place / "sounds").mkdir()
    for part, count in (("train", 160), ("test", 30)):
        rows = []
        for k in range(count):
            names = draw.choices(list(PITCHES), k=draw.randint(1, 4))
            soundfile.write(place / "sounds" / f"{part}-{k}.flac", sung(names, draw), RATE)
            rows.append({"path": f"sounds/{part}-{k}.flac", "text": " ".join(names), "first": names[0]})
        tables.write(place / f"{part}.csv", rows)
    return place


@pytest.fixture(scope="module")
def recognizer(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "r"
    options = TINY | {"epochs": 15.0}
    return elman.train(
        "speech-recognition", folder / "train.csv", test=folder / "test.csv", out=out, quiet=True, **options
    )


def test_a_recognizer_learns_and_says_so_beside_its_baselines(recognizer):
    score, baselines = recognizer.scores["test"], recognizer.description["baselines"]["test"]
    assert next(iter(score)) == "wer"
    assert score["wer"] < 0.1
    assert score["cer"] < 0.1
    assert {entry["name"]: entry["wer"] > 2 * score["wer"] for entry in baselines} == {
        "most frequent transcript": True,
        "nearest recording": True,
    }
    assert recognizer.evaluate()["score"] == score


def test_a_recognizer_begins_with_how_often_symbols_are_heard_and_when_none_is(recognizer):
    prepared, task = recognizer.prepared, recognizer._task
    network = task.network(prepared, recognizer.options)
    task.begin(network, prepared)
    bias = network.outputs[0].head.linear.bias.detach()
    examples = prepared.examples("train")
    said, steps = len(examples.targets["text"].values), int(examples.lengths.sum())
    assert bias.exp()[-1].item() == pytest.approx(1 - said / steps, rel=0.01)
    assert bias.exp().sum().item() == pytest.approx(1)


def test_a_run_needs_none_of_its_files_any_more(folder, recognizer, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(folder, moved / "data")
    options = TINY | {"out": moved / "r", "quiet": True}
    elman.train("classification", moved / "data" / "train.csv", output="first", steps=4, **options)
    shutil.rmtree(moved / "data" / "sounds")
    tables = {"train": moved / "data" / "train.csv"}
    went_on = elman.train("classification", tables["train"], out=moved / "r", resume=True, steps=8, quiet=True)
    assert went_on.description["training"]["steps"] == 8
    assert went_on.evaluate()["score"] == went_on.scores["valid"]


def test_a_table_a_file_and_a_folder_are_heard_alike(folder, recognizer, monkeypatch):
    table = recognizer.predict(folder / "test.csv")
    (alone,) = recognizer.predict(folder / "sounds" / "test-7.flac")
    whole = {row["path"]: row for row in recognizer.predict(folder / "sounds")}
    assert alone["path"] == str(folder / "sounds" / "test-7.flac")
    assert len(whole) == 190
    monkeypatch.chdir(folder)
    (given,) = recognizer.predict(["sounds/test-7.flac"])
    for found in (alone, whole[alone["path"]], given):
        assert found["text"] == table[7]["text"]
        assert found["text_probability"] == pytest.approx(table[7]["text_probability"], abs=2e-5)


def test_a_prediction_says_when_each_symbol_is_heard(folder, recognizer):
    row = recognizer.predict(folder / "test.csv")[3]
    assert "".join(row["text_symbols"]) == row["text"]
    seconds, lasts = row["text_seconds"], soundfile.info(folder / "sounds" / "test-3.flac").duration
    assert len(seconds) == len(row["text_symbols"])
    assert seconds == sorted(seconds)
    assert 0 < seconds[0] < seconds[-1] < lasts
    assert 0 < row["text_probability"] <= 1


def test_of_many_rows_those_are_shown_that_are_least_like_the_truth(recognizer, monkeypatch):
    task, prepared = recognizer._task, recognizer.prepared
    answers = {row["row"]: row["truth"] for row in task.showcase(recognizer.network, prepared, None)["writings"]}
    wrong = {row: "" if k % 2 else text[:-1] for k, (row, text) in enumerate(answers.items()) if k < 10}

    def heard(self, network, prepared, rows):
        shown = [(row, text, wrong.get(row, f"  {text} ")) for row, text in answers.items()]
        return [{"row": row, "truth": truth, "answer": answer} for row, truth, answer in shown]

    monkeypatch.setattr(type(task), "_written", heard)
    worst = task.showcase(recognizer.network, prepared, None)["worst"]
    assert [row["answer"] == "" for row in worst] == [True] * 5 + [False] * 3
    assert all(row["answer"] == wrong[row["row"]] for row in worst)


def test_the_report_shows_what_was_heard_and_when(recognizer):
    page = recognizer.report.read_text()
    assert "What it hears, and when" in page
    shown = recognizer.description["heard"][0]
    assert len(shown["at"]) == len(shown["symbols"])
    assert all(len(curve) == len(shown["times"]) for curve in [shown["blank"], *shown["curves"]])
    assert {len(row) for row in shown["sound"]} == {len(shown["sound"][0])}
    assert "".join(shown["sound"]).isdecimal()


@pytest.mark.parametrize(
    "options",
    [
        {"unit": "word", "beam": 1},
        {"unit": "subword", "stride": 3},
        {"bidirectional": False, "cell": "gru", "layers": 2, "masks": 2},
        {"unit": "byte", "stride": 1, "sample_rate": 4000},
    ],
    ids=str,
)
def test_every_option_makes_a_whole_run(folder, tmp_path, options):
    tiny = TINY | {"epochs": 1.0} | options
    run = elman.train("speech-recognition", folder / "test.csv", out=tmp_path / "r", quiet=True, **tiny)
    assert 0 < run.scores["valid"]["symbol_loss"] < 50
    (answer,) = elman.load(run.path).predict(folder / "sounds" / "test-1.flac")
    assert isinstance(answer["text"], str)


def test_recordings_are_classified_beside_the_nearest_one(folder, tmp_path):
    options = TINY | {"epochs": 12.0, "test": folder / "test.csv", "out": tmp_path / "r", "quiet": True}
    run = elman.train("classification", folder / "train.csv", output="first", **options)
    usual, nearest = run.description["baselines"]["test"]
    assert run.scores["test"]["accuracy"] > 0.85
    assert nearest["accuracy"] > usual["accuracy"]
    assert nearest["name"] == "nearest neighbour"
    assert run.predict(folder / "test.csv")[0]["first"] in PITCHES


def test_a_recording_that_is_too_short_for_its_text_is_named_by_row(folder, tmp_path):
    rows = tables.read(folder / "test.csv").frame.to_dicts()
    rows[4]["text"], rows[9]["text"] = "do " * 100, "b" * 30
    table = tables.write(folder / "long.csv", rows)
    with pytest.raises(DataError) as error:
        elman.train("speech-recognition", table, held_out=0.1, seed=1, out=tmp_path / "r", quiet=True, **TINY)
    assert "row 5, column 'text' has 299 characters but its recording only" in str(error.value)
    assert "(1 more like it)" in str(error.value)
    assert not (tmp_path / "r").exists()


def test_a_run_that_was_cut_off_ends_as_the_uninterrupted_one(folder, tmp_path):
    """Masks and dropout are drawn anew where the run was cut off."""
    tiny = TINY | {"masks": 2, "dropout": 0.2}
    whole = elman.train("speech-recognition", folder / "test.csv", out=tmp_path / "a", steps=6, quiet=True, **tiny)
    code = (
        "import sys, json, elman; from elman.training import loop; loop.CHECKPOINT_SECONDS = 0.0\n"
        "update, count = loop.Trainer.update, [0]\n"
        "def stop(self, share):\n"
        "    count[0] += 1\n"
        "    if count[0] > 3: sys.exit(9)\n"
        "    update(self, share)\n"
        "loop.Trainer.update = stop\n"
        "elman.train('speech-recognition', sys.argv[1], out=sys.argv[2], **json.loads(sys.argv[3]))"
    )
    arguments = [str(folder / "test.csv"), str(tmp_path / "b"), json.dumps(tiny | {"quiet": True, "steps": 6})]
    assert subprocess.run([sys.executable, "-c", code, *arguments], check=False).returncode == 9
    resumed = elman.train(
        "speech-recognition", folder / "test.csv", out=tmp_path / "b", steps=6, resume=True, quiet=True
    )
    for name, value in whole.network.state_dict().items():
        assert value.equal(resumed.network.state_dict()[name]), name


def test_a_wrong_request_gets_one_sentence(folder, recognizer, tmp_path):
    for options, message in (
        ({"output": "text,first"}, "--output names 2 columns, 'text', 'first'; speech-recognition writes one text"),
        ({"input": "text", "output": "first"}, "row 1, column 'text' is '"),
        ({"seconds": 0.05}, "more than 0.05; cut it, or train a new network with a larger --seconds"),
        ({"stride": 0}, "--stride 0 is out of range"),
    ):
        with pytest.raises((DataError, UsageError)) as error:
            elman.train("speech-recognition", folder / "test.csv", out=tmp_path / "r", quiet=True, **TINY | options)
        assert message in str(error.value)
        assert "\n" not in str(error.value)
        assert not (tmp_path / "r").exists()
    with pytest.raises(DataError, match=r"none\.wav cannot be read: no such file or directory"):
        recognizer.predict("none.wav")


def test_without_the_library_of_the_measures_all_else_is_there(folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jiwer", None)
    assert text_measures.error_rates(["a"], ["b"]) == {}
    tiny = TINY | {"epochs": 1.0}
    run = elman.train("speech-recognition", folder / "test.csv", out=tmp_path / "r", quiet=True, **tiny)
    assert "wer" not in run.scores["valid"]
    assert "row_accuracy" in run.scores["valid"]


def test_error_rates_are_shares_of_what_is_right():
    assert text_measures.error_rates(["a b", "", "c d e"], ["a c", "x", "c d"]) == pytest.approx(
        {"wer": 3 / 5, "cer": 4 / 7}
    )
