"""Tagging the frames of videos: from files of every form to a run that needs them no more."""

import random

import numpy as np
import pytest
import torch
from PIL import Image

import elman
from elman.data import tables, videos
from elman.data.images import Size
from elman.errors import DataError, UsageError
from elman.modalities.videos import Videos

TINY = {
    "batch": 16,
    "hidden": 16,
    "embedding": 16,
    "rate": 0.01,
    "precision": "float32",
    "dropout": 0.1,
    "shift": 0.0,
    "quiet": True,
}


def film(draw, length):
    """A bright bar that goes to the left or to the right; the first frame does not show which."""
    place, frames, tags = draw.randint(0, 7), [], []
    way = draw.choice((-1, 1))
    for _ in range(length):
        way = draw.choice((-1, 1)) if draw.random() < 0.2 else way
        place = (place + way) % 8
        frame = np.random.default_rng(draw.randint(0, 999)).integers(0, 40, (8, 8), np.uint8)
        frame[:, place] = 250
        frames.append(Image.fromarray(frame))
        tags.append("right" if way > 0 else "left")
    return frames, tags


def films(folder, count, seed=0):
    draw, rows = random.Random(seed), []
    for k in range(count):
        frames, tags = film(draw, draw.randint(3, 7))
        name = f"{seed}-{k}.gif"
        frames[0].save(folder / name, save_all=True, append_images=frames[1:])
        rows.append({"film": name, "tags": " ".join(tags), "last": tags[-1]})
    return rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("films")
    tables.write(place / "train.csv", films(place, 160))
    tables.write(place / "test.csv", films(place, 30, seed=1))
    return place


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "r"
    given = TINY | {"epochs": 30.0, "output": ["tags", "last"]}
    return elman.train("video-tagging", folder / "train.csv", test=folder / "test.csv", out=out, **given)


def column(values):
    return tables.from_rows([{"a": value} for value in values], "t.csv").column("a")


def test_the_recurrence_sees_what_no_single_frame_shows(trained):
    score, (usual, nearest) = trained.scores["test"], trained.description["baselines"]["test"]
    assert next(iter(score)) == "tag_accuracy"
    assert score["tag_accuracy"] > 0.85
    assert max(usual["tag_accuracy"], nearest["tag_accuracy"]) < 0.7
    assert usual["name"] == "most frequent tag; most frequent label"
    assert "label_accuracy" in score


def test_a_run_is_evaluated_when_the_videos_are_gone(folder, tmp_path):
    table = tables.write(tmp_path / "t.csv", films(tmp_path, 30, seed=2))
    run = elman.train("video-tagging", table, output="tags", out=tmp_path / "r", steps=3, **TINY)
    for file in tmp_path.glob("*.gif"):
        file.unlink()
    assert elman.load(run.path).evaluate()["score"] == run.scores["valid"]


def test_the_same_frames_are_read_from_a_file_a_folder_and_a_list(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frames, _ = film(random.Random(0), 11)
    frames[0].save("a.webp", save_all=True, append_images=frames[1:], lossless=True)
    (tmp_path / "b").mkdir()
    for k, frame in enumerate(frames):
        frame.save(f"b/{k}.png")  # 10.png comes behind 9.png
    names = [f"b/{k}.png" for k in range(11)]
    assert column([names]).kind == "lists of images"
    one, two = videos.load(column(["a.webp", "b"]), Size(8, 8), 1, 11)
    (three,) = videos.load(column([names]), Size(8, 8), 1, 11)
    assert np.array_equal(two, three)
    assert np.abs(one.astype(int) - two).max() < 3
    assert two[4].T.tolist() == [np.asarray(frames[4]).tolist()]


def test_a_frame_is_read_as_if_its_video_were_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [row["film"] for row in films(tmp_path, 5)]
    fitted = Videos.fit(column(rows), None, 0.0, 50)
    encoded = fitted.encode(column(rows))
    torch.manual_seed(0)
    reader = fitted.reader(6).eval()
    together = reader(encoded.batch(np.array([3, 0, 4])))
    for place, row in enumerate((3, 0, 4)):
        alone = reader(encoded.batch(np.array([row])))
        assert len(alone) == encoded.lengths[row]
        assert torch.allclose(together[: len(alone), place], alone[:, 0], atol=1e-6)
        assert not together[len(alone) :, place].any()


def test_all_frames_of_a_video_move_alike(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    still = Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16), np.uint8))
    still.save("a.png")
    rows = column([["a.png"] * 3] * 30)
    fitted = Videos.fit(rows, None, 0.2, 50)
    torch.manual_seed(0)
    found = fitted.reader(6)(fitted.encode(rows).batch(np.arange(30)))
    assert torch.allclose(found[0], found[2], atol=1e-6)
    assert found[0].unique(dim=0).shape[0] > 5


def test_a_video_by_itself_is_tagged(trained, folder):
    (found,) = trained.predict(folder / "1-0.gif")
    assert set(found["tags"]) <= {"left", "right"}
    assert len(found["tags"]) == len(found["tags_probability"])
    assert found["last"] in ("left", "right")


def test_the_report_shows_the_frames(trained):
    page = trained.report.read_text()
    shown = trained.description["films"]
    assert page.count('<div class="film">') == len(shown) == 6
    assert all(len(entry["images"]) == len(entry["truth"]) == len(entry["answer"]) for entry in shown)


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ({3: {"tags": "left"}}, {}, "row 4, column 'tags' has 1 items, but 'film' has"),
        ({3: {"film": "gone.gif"}}, {}, "row 4, column 'film' names gone.gif, which cannot be read: no such file"),
        ({3: {"film": "empty"}}, {"input": "film"}, "row 4, column 'film' names no frames"),
        ({}, {"output": "last"}, "'last' holds one value a row; name a column of tags with --output"),
        ({}, {"size": "x8"}, "--size x8 gives no width, but all frames need the same"),
        ({}, {"longest": 2}, "has more than 2 frames; cut it, or train a new network with a larger --longest"),
    ],
)
def test_bad_requests_get_one_sentence_and_leave_nothing(folder, tmp_path, rows, options, message):
    made = films(tmp_path, 30, seed=3)
    for k, change in rows.items():
        made[k] |= change
    (tmp_path / "empty").mkdir()
    table = tables.write(tmp_path / "t.csv", made)
    with pytest.raises((DataError, UsageError)) as told:
        elman.train("video-tagging", table, out=tmp_path / "r", quiet=True, **{"output": "tags"} | options)
    assert message in str(told.value)
    assert not (tmp_path / "r").exists()
