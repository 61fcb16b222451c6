"""Tasks that read images: from a table of files to a run that needs the files no more."""

import json
import random
import shutil

import numpy as np
import pytest
from PIL import Image

import elman
from elman import cli
from elman.data import tables
from elman.errors import DataError, UsageError
from elman.tasks import text_measures

TINY = {"batch": 16, "hidden": 16, "embedding": 16, "rate": 0.01, "precision": "float32", "shift": 0.0, "quiet": True}
WRITING = TINY | {"hidden": 32, "symbols": 300, "warmup": 10, "average": 0.95, "dropout": 0.0, "input_dropout": 0.0}
PLACES, COLOURS = ("left", "right"), {"red": (250, 20, 20), "blue": (20, 20, 250)}


def squares(folder, count, seed=0):
    """A red or a blue square at the left or at the right, under noise; two captions for every fourth image."""
    draw, noise, rows = random.Random(seed), np.random.default_rng(seed), []
    for k in range(count):
        place, colour = draw.choice(PLACES), draw.choice(list(COLOURS))
        pixels = noise.integers(0, 60, (12, 20, 3), np.uint8)
        left = (1 if place == "left" else 11) + draw.randint(0, 2)
        pixels[2:8, left : left + 6] = COLOURS[colour]
        name = f"{seed}-{k}.png"
        Image.fromarray(pixels).save(folder / name)
        rows.append({"file": name, "caption": f"a {colour} square at the {place}", "colour": colour})
        if k % 4 == 0:
            rows.append(rows[-1] | {"caption": f"at the {place} a {colour} square"})
    return rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("images")
    tables.write(place / "train.csv", squares(place, 160))
    tables.write(place / "test.csv", squares(place, 24, seed=1))
    return place


@pytest.fixture(scope="module")
def classifier(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "r"
    given = TINY | {"epochs": 6.0, "output": "colour"}
    return elman.train("classification", folder / "train.csv", test=folder / "test.csv", out=out, **given)


@pytest.fixture(scope="module")
def captioner(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "r"
    given = WRITING | {"epochs": 30.0, "output": "caption"}
    return elman.train("captioning", folder / "train.csv", test=folder / "test.csv", out=out, **given)


def test_a_classifier_of_images_learns_and_says_so_beside_its_baselines(classifier):
    score, (usual, nearest) = classifier.scores["test"], classifier.description["baselines"]["test"]
    assert score["accuracy"] > 0.95
    assert usual["accuracy"] < 0.8
    assert nearest["name"] == "nearest neighbour"
    assert classifier.description["modalities"]["input"]["size"] == "20x12"
    assert len(classifier.description["modalities"]["input"]["mean"]) == 3


def test_the_rows_of_one_image_are_learnt_from_or_held_out_together(classifier):
    names = {part: set(classifier.prepared.column(part, "file").values) for part in ("train", "valid")}
    assert not names["train"] & names["valid"]
    assert len(names["train"] | names["valid"]) == 160


@pytest.mark.parametrize("options", [{"reading": "rows"}, {"reading": "places"}, {"size": "x8"}], ids=str)
def test_every_reading_makes_a_whole_run(folder, tmp_path, options):
    given = TINY | {"epochs": 1.0, "output": "colour", "shift": 0.2} | options
    run = elman.train("classification", folder / "train.csv", out=tmp_path / "r", **given)
    assert 0 < run.scores["valid"]["loss"] < 2
    assert elman.load(run.path).evaluate()["score"] == run.scores["valid"]


def test_a_run_goes_on_when_the_images_are_gone(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "data")
    given = TINY | {"output": "colour"}
    run = elman.train("classification", tmp_path / "data/train.csv", out=tmp_path / "a", steps=4, **given)
    for image in (tmp_path / "data").glob("*.png"):
        image.unlink()
    assert elman.load(run.path).evaluate()["score"] == run.scores["valid"]
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    resumed = elman.train(
        "classification", tmp_path / "data/train.csv", out=tmp_path / "b", steps=8, resume=True, **given
    )
    assert resumed.description["training"]["steps"] == 8


def test_images_by_themselves_are_answered(classifier, folder, tmp_path, monkeypatch, capsys):
    name = str(folder / "1-0.png")
    (answer,) = classifier.predict(name)
    assert answer["file"] == name
    assert classifier.predict([name])[0] == answer
    assert [row["file"] for row in classifier.predict(folder)][:2] == [str(folder / "0-0.png"), str(folder / "0-1.png")]
    monkeypatch.setattr("sys.argv", ["elman", "predict", str(classifier.path), name, "--json"])
    with pytest.raises(SystemExit):
        cli.main()
    assert json.loads(capsys.readouterr().out)["rows"] == [answer]
    with pytest.raises(DataError, match=r"gone\.png cannot be read: no such file"):
        classifier.predict("gone.png")
    with pytest.raises(DataError, match=r"holds no images; their names end in .png"):
        classifier.predict(tmp_path)


def test_a_captioner_learns_and_says_so_beside_its_baselines(captioner):
    score, (usual, nearest) = captioner.scores["test"], captioner.description["baselines"]["test"]
    assert next(iter(score)) == "bleu"
    assert score["exact"] > 0.8
    assert usual["name"] == "most frequent caption"
    assert usual["exact"] < 0.5
    assert usual["bleu"] <= nearest["bleu"]
    assert captioner.evaluate()["score"] == score


def test_all_captions_of_an_image_are_right(captioner, monkeypatch):
    seen = []
    monkeypatch.setattr(text_measures, "bleu", lambda written, right: seen.extend(right) or {})
    task = captioner._task
    rows = captioner.prepared.column("test", "caption").values.to_list()
    other = [rows[1], rows[0], *rows[2:]]  # the first image has two captions
    assert task.figures(captioner.prepared, "test", other)["exact"] == 1.0
    assert seen[0] == seen[1] == rows[:2]
    assert len(seen[2]) == 1


def test_images_with_fewer_captions_than_others_are_measured():
    found = text_measures.bleu(
        ["a red square here", "a blue one there"], [["x", "a red square here"], ["a blue one there"]]
    )
    assert found["bleu"] == pytest.approx(100)


def test_a_caption_is_a_text_with_the_probability_of_each_symbol(captioner, folder):
    (found,) = captioner.predict(folder / "1-0.png")
    assert found["caption"] in set(captioner.prepared.column("test", "caption").values)
    assert len(found["caption_symbol_probabilities"]) == len(found["caption_symbols"]) + 1


def test_the_report_shows_images_and_where_the_decoder_looked(captioner, classifier):
    page = captioner.report.read_text()
    shown = [*captioner.description["writings"], *captioner.description["unexpected"]]
    assert page.count('<img class="pixels" src="data:image/png;base64,') == len(shown)
    assert 'class="gazes"' in page
    shown = captioner.description["attention"][0]
    columns, rows = shown["grid"]
    assert all(len(weights) == columns * rows and abs(sum(weights) - 1) < 0.05 for weights in shown["weights"])
    assert all("image" in mistake for mistake in classifier.description["mistakes"])


def test_rows_of_one_image_alone_cannot_be_held_out(folder, tmp_path):
    rows = tables.read(folder / "train.csv").frame.to_dicts()
    one = tables.write(folder / "one.csv", [row | {"file": rows[0]["file"]} for row in rows])
    with pytest.raises(DataError, match="all rows of column 'file' name one file, and rows of a file are held out"):
        elman.train("captioning", one, out=tmp_path / "r", output="caption", quiet=True)
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("task", "options", "message"),
    [
        ("captioning", {"output": "caption", "size": "9"}, "--size '9' is no size"),
        ("captioning", {"output": "caption", "reading": "diagonals"}, "choose one of columns, places, rows"),
        ("captioning", {"output": "caption", "input": "colour"}, "names blue, which cannot be read: no such file"),
        ("captioning", {"output": ["caption", "colour"]}, "--output names 2 columns"),
        ("translation", {"input": "file", "output": "caption"}, "holds images, not text"),
    ],
)
def test_bad_requests_get_one_sentence_and_leave_nothing(folder, tmp_path, task, options, message):
    with pytest.raises((DataError, UsageError)) as told:
        elman.train(task, folder / "train.csv", out=tmp_path / "r", quiet=True, **options)
    assert message in str(told.value)
    assert "\n" not in str(told.value)
    assert not (tmp_path / "r").exists()
