"""Whole videos, labelled or described: from files of every form to a run that needs them no more."""

import random

import numpy as np
import pytest
import torch
from PIL import Image

import elman
from elman.data import tables, videos
from elman.data.images import Size
from elman.errors import DataError
from elman.modalities import convolution
from elman.modalities.videos import Videos
from elman.tasks import looking

TINY = {"batch": 16, "hidden": 16, "embedding": 16, "rate": 0.01, "precision": "float32", "shift": 0.0, "quiet": True}
WRITING = TINY | {"hidden": 32, "symbols": 300, "warmup": 10, "average": 0.95, "dropout": 0.0, "input_dropout": 0.0}


def film(draw):
    """A bright bar that goes round to the left or to the right: no frame shows which, nor do all in disorder."""
    place, way, noise = draw.randint(0, 7), draw.choice((-1, 1)), np.random.default_rng(draw.randint(0, 999))
    frames = []
    for t in range(draw.randint(4, 7)):
        frame = noise.integers(0, 40, (8, 8), np.uint8)
        frame[:, (place + t * way) % 8] = 250
        frames.append(Image.fromarray(frame))
    return frames, "right" if way > 0 else "left"


def saved(frames, path):
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100)


def films(folder, count, seed=0):
    """Animated images, and folders of frames of another size; two captions of every fourth."""
    draw, rows = random.Random(seed), []
    for k in range(count):
        frames, way = film(draw)
        if k % 5:
            saved(frames, folder / f"{seed}-{k}.gif")
        else:
            (folder / f"{seed}-{k}").mkdir()
            for t, frame in enumerate(frames):
                frame.resize((16, 16)).save(folder / f"{seed}-{k}" / f"{t}.png")
        name = f"{seed}-{k}.gif" if k % 5 else f"{seed}-{k}"
        rows.append({"clip": name, "way": way, "caption": f"a bar goes {way}"})
        if k % 4 == 0:
            rows.append(rows[-1] | {"caption": f"{way} goes a bar"})
    return rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("films")
    tables.write(place / "train.csv", films(place, 160))
    tables.write(place / "test.csv", films(place, 24, seed=1))
    return place


@pytest.fixture(scope="module")
def classifier(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "r"
    given = TINY | {"epochs": 20.0, "output": "way"}
    return elman.train("classification", folder / "train.csv", test=folder / "test.csv", out=out, **given)


@pytest.fixture(scope="module")
def captioner(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "r"
    given = WRITING | {"epochs": 40.0, "unit": "word"}
    return elman.train("captioning", folder / "train.csv", test=folder / "test.csv", out=out, **given)


def column(values):
    return tables.from_rows([{"a": value} for value in values], "t.csv").column("a")


def test_a_classifier_sees_what_only_the_order_of_frames_shows(classifier):
    score, baselines = classifier.scores["test"], classifier.description["baselines"]["test"]
    assert score["accuracy"] > 0.9
    assert [entry["name"] for entry in baselines[:2]] == ["most frequent label", "nearest neighbour"]
    without_order = baselines[2]
    assert without_order["name"] == "mean, deviation and logistic regression"
    assert without_order.get("accuracy", 0) < 0.8  # it is not measured without scikit-learn
    assert classifier.description["modalities"]["input"]["modality"] == "videos"
    assert classifier.description["data"]["train"]["videos"] < classifier.description["data"]["train"]["rows"]


def test_the_rows_of_one_video_are_learnt_from_or_held_out_together(classifier):
    names = {part: set(classifier.prepared.column(part, "clip").values) for part in ("train", "valid")}
    assert not names["train"] & names["valid"]
    assert len(names["train"] | names["valid"]) == 160


def test_a_captioner_says_what_happens(captioner):
    score, (usual, nearest) = captioner.scores["test"], captioner.description["baselines"]["test"]
    assert captioner.prepared.columns == {"read": ["clip"], "answered": ["caption"]}
    assert score["exact"] > 0.8
    assert usual["exact"] < 0.8
    assert nearest["name"] == "caption of the nearest video"
    assert captioner.evaluate()["score"] == score


def test_the_reports_show_the_frames(classifier, captioner):
    page, shown = classifier.report.read_text(), classifier.description["watched"]
    assert page.count('<div class="film">') == len(shown) == 6
    assert all(len(entry["images"]) == len(entry["probabilities"]) for entry in shown)
    for entry in captioner.description["attention"]:
        assert all(len(weights) == len(entry["frames"]) for weights in entry["weights"])
    assert captioner.report.read_text().count('<table class="looked">') == len(captioner.description["attention"])


def test_what_a_video_is_known_to_be_when_it_ends_is_the_answer(classifier):
    answers = classifier.predict(_clips(classifier))
    for entry, answer in zip(classifier.description["watched"], answers, strict=True):
        sure = answer["way_probability"]
        right = answer["way"] == entry["truth"]
        assert entry["probabilities"][-1] == pytest.approx(sure if right else 1 - sure, abs=1e-3)


def _clips(run):
    column = run.prepared.column("test", "clip")
    names = dict(zip(column.rows.tolist(), column.values, strict=True))
    return [str(column.path(names[entry["row"]])) for entry in run.description["watched"]]


def test_a_file_a_folder_of_frames_and_a_folder_of_videos_are_answered(classifier, folder, tmp_path):
    (found,) = classifier.predict(folder / "1-1.gif")
    assert found["way"] in ("left", "right")
    (found,) = classifier.predict(folder / "1-0")
    assert found["clip"] == str(folder / "1-0")
    names = [row["clip"] for row in classifier.predict(folder)]
    assert len(names) == 128 + 19  # the animated images; folders of frames lie beside them
    draw = random.Random(5)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        saved(film(draw)[0], tmp_path / name / "1.png")
        film(draw)[0][0].save(tmp_path / name / "0.png")
    assert [row["clip"] for row in classifier.predict(tmp_path)] == [str(tmp_path / "a"), str(tmp_path / "b")]


def test_of_a_long_video_frames_from_all_over_are_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frames = [Image.new("L", (4, 4), 20 * t) for t in range(11)]
    saved(frames, "a.webp")
    (tmp_path / "b").mkdir()
    for t, frame in enumerate(frames):
        frame.save(f"b/{t}.png")
    for name in ("a.webp", "b", [f"b/{t}.png" for t in range(11)]):
        (found,) = videos.load(column([name]), Size(4, 4), 1, 3, thin=True)
        assert np.abs(found[:, 0, 0, 0] - np.array([0.0, 100, 200])).max() < 4
        (found,) = videos.load(column([name]), Size(4, 4), 1, 11, thin=True)
        assert len(found) == 11
        rows = column([name])
        assert looking.whole(rows, looking.WholeOptions(frames=3)).encode(rows).lengths.tolist() == [3]


def test_long_videos_are_read_in_pieces_with_the_same_result(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = column([row["clip"] for row in films(tmp_path, 9)])
    fitted = Videos.fit(rows, None, 0.2, 50)
    reader, batch = fitted.reader(6), fitted.encode(rows).batch(np.arange(9))

    def read():
        torch.manual_seed(0)
        reader.zero_grad()
        found = reader(batch)
        found.square().sum().backward()
        return found, reader.convolution.layers[0].weight.grad.clone()

    whole = read()
    monkeypatch.setattr(convolution, "PIECE", 3 * 64)
    for one, other in zip(whole, read(), strict=True):
        assert torch.allclose(one, other, atol=1e-5, rtol=1e-4)


def test_images_that_stand_still_are_images(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frames, _ = film(random.Random(0))
    frames[0].save("still.gif")
    saved(frames, "film.gif")
    (tmp_path / "label").mkdir()
    frames[0].save("label/1.png")
    frames[0].save("shot.jpg", "MPO", save_all=True, append_images=frames[1:2])  # as cameras with two lenses write it
    assert not videos.are_named(column(["still.gif", "still.gif", "film.gif"]))
    assert videos.are_named(column(["film.gif", None, "film.gif", "still.gif"]))
    assert not videos.are_named(column(["shot.jpg"]))
    assert videos.are_named(column(["label"]))
    assert not videos.are_named(column(["a label", "~nobody", "x" * 5000, "\0"]))
    rows = [{"file": "still.gif", "kind": "label"}] * 30 + [{"file": "shot.jpg", "kind": "other"}] * 30
    table = tables.write(tmp_path / "t.csv", rows)
    run = elman.train("classification", table, valid=table, out=tmp_path / "r", steps=1, **TINY)
    assert run.prepared.columns == {"read": ["file"], "answered": ["kind"]}  # though a folder is called as a kind is
    assert run.description["modalities"]["input"]["modality"] == "images"


@pytest.mark.parametrize("task", ["classification", "captioning"])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gone.gif", "row 4, column 'clip' names gone.gif, which cannot be read: no such file"),
        ("half.gif", "row 4, column 'clip' names half.gif, which cannot be read: "),
        ("note.gif", "row 4, column 'clip' names note.gif, which is no image that Pillow can read"),
        ("empty", "row 4, column 'clip' names no frames; remove the row"),
        (None, "row 4, column 'clip' is empty; fill it in, or remove the row"),
    ],
)
def test_a_broken_video_is_told_by_row_and_leaves_nothing(tmp_path, task, name, message):
    made = films(tmp_path, 30, seed=3)
    (tmp_path / "empty").mkdir()
    (tmp_path / "note.gif").write_text("no film")
    whole = (tmp_path / "3-1.gif").read_bytes()
    (tmp_path / "half.gif").write_bytes(whole[: len(whole) // 2])
    made[3]["clip"] = name
    table = tables.write(tmp_path / "t.csv", made)
    with pytest.raises(DataError) as told:
        elman.train(task, table, out=tmp_path / "r", output="way", quiet=True)
    assert message in str(told.value)
    assert not (tmp_path / "r").exists()


def test_films_are_to_be_cut_into_frames(classifier, tmp_path):
    table = tables.write(tmp_path / "t.csv", [{"clip": f"{k}.mp4", "way": "ab"[k % 2]} for k in range(30)])
    for task, given in (("captioning", {}), ("classification", {}), ("classification", {"input": "clip"})):
        with pytest.raises(DataError, match=r"names a film, which is not read; cut films into frames, as `ffmpeg"):
            elman.train(task, table, out=tmp_path / "r", output="way", quiet=True, **given)
    with pytest.raises(DataError, match=r"a.mp4 is a film, which is not read; cut films"):
        classifier.predict(tmp_path / "a.mp4")


def test_a_run_is_evaluated_when_the_videos_are_gone(tmp_path):
    rows = [{"frames": [f"{k}-0.png", f"{k}-1.png"], "way": "ab"[k % 2]} for k in range(30)]
    for row in rows:
        for name in row["frames"]:
            Image.new("L", (5, 5), 9).save(tmp_path / name)
    table = tables.write(tmp_path / "t.jsonl", rows)
    run = elman.train("classification", table, out=tmp_path / "r", steps=3, **TINY)
    for file in tmp_path.glob("*.png"):
        file.unlink()
    assert elman.load(run.path).evaluate()["score"] == run.scores["valid"]
