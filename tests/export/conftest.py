"""Small runs of every kind that can be exported."""

import math
import random
import wave
from types import SimpleNamespace

import numpy as np
import pytest

from elman.data import tables

COMMON = {"hidden": 12, "precision": "float32"}
WORDS = ("fine", "day", "the", "film", "Rome", "won't", "x9", "very", "Größe")


def texts(count, _):
    draw = random.Random(0)
    rows = ([draw.choice(WORDS) for _ in range(draw.randint(1, 7))] for _ in range(count))
    return [{"text": f"{' '.join(words)}!", "label": ("good", "bad")["fine" in words]} for words in rows]


def tagged(count, _):
    draw = random.Random(1)
    rows = ([draw.choice(WORDS) for _ in range(draw.randint(1, 7))] for _ in range(count))
    return [{"tokens": words, "tags": ["B-place" if w == "Rome" else "O" for w in words]} for words in rows]


def waves(count, _):
    draw = random.Random(2)
    rows = [(draw.choice((0.3, 1.0)), draw.randint(3, 9)) for _ in range(count)]
    return [{"signal": [[math.sin(a * t), 5 + t] for t in range(n)], "kind": f"k{a}"} for a, n in rows]


def measured(count, _):
    draw = random.Random(8)
    rows = [[[draw.random(), draw.gauss(3, 1)] for _ in range(draw.randint(1, 8))] for _ in range(count)]
    return [{"signal": row, "tags": ["up" if step[0] > 0.5 else "down" for step in row]} for row in rows]


def series(count, _):
    return [{"load": math.sin(t / 3), "heat": 20 + math.cos(t / 5)} for t in range(count)]


def several(count, _):
    """Two series, one of which never changes in training, and nine hundred times as large as the other."""
    rows = [(name, t) for name in ("north", "south") for t in range(count)]
    return [
        {"place": name, "load": 900.0 if name == "south" and t < 150 else math.sin(t / 3), "heat": 20 + math.cos(t / 5)}
        for name, t in rows
    ]


def pairs(count, _):
    draw = random.Random(3)
    rows = ([draw.choice(WORDS) for _ in range(draw.randint(1, 5))] for _ in range(count))
    return [{"en": " ".join(words), "fr": " ".join(reversed(words))} for words in rows]


def pictures(count, place, *, sizes=((16, 12),), channels=1):
    from PIL import Image

    draw = np.random.default_rng(4)
    for k in range(count):
        width, height = sizes[k % len(sizes)]
        shape = (height, width) if channels == 1 else (height, width, channels)
        Image.fromarray(draw.integers(0, 256, shape, np.uint8)).save(place / f"{k}.png")
    said = ("a one", "a two above a one")
    return [{"image": f"{k}.png", "label": f"k{k % 3}", "caption": said[k % 2]} for k in range(count)]


def colours(count, place):
    return pictures(count, place, sizes=((9, 12), (31, 12), (14, 25)), channels=3)


def greys(count, place):
    return pictures(count, place, sizes=((9, 12), (31, 12)))


def films(count, place):
    from PIL import Image

    draw, rows = np.random.default_rng(5), []
    for k in range(count):
        first, *others = map(Image.fromarray, draw.integers(0, 256, (draw.integers(1, 6), 10, 13), np.uint8))
        first.save(place / f"{k}.gif", save_all=True, append_images=others, duration=100)
        tags = ["up" if n % 2 else "down" for n in range(1 + len(others))]
        rows.append({"video": f"{k}.gif", "tags": tags, "label": f"k{k % 3}", "caption": ("up", "down")[k % 2]})
    return rows


def frames(count, place):
    """Videos as lists of images."""
    from PIL import Image

    draw, rows = np.random.default_rng(9), []
    for k in range(count):
        names = [f"{k}-{t}.png" for t in range(draw.integers(1, 6))]
        for name in names:
            Image.fromarray(draw.integers(0, 256, (10, 13), np.uint8)).save(place / name)
        rows.append({"video": names, "caption": ("up", "down")[k % 2]})
    return rows


def sounds(count, place):
    """WAV files, the shortest of fewer samples than a window has."""
    draw, rows = np.random.default_rng(6), []
    for k in range(count):
        samples = 3000 * draw.standard_normal(draw.integers(900, 4000) if k % 5 else draw.integers(1, 260))
        _write_wav(place / f"{k}.wav", samples.clip(-32_768, 32_767).astype("<i2").tobytes())
        rows.append({"path": f"{k}.wav", "label": f"k{k % 3}", "text": "ab" if len(samples) >= 900 else "a"})
    return rows


def _write_wav(path, content, *, rate=8000, channels=1, width=2):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(content)


def calls(count, _):
    draw, rows = random.Random(7), []
    for _ in range(count):
        turns = [" ".join(draw.choice(WORDS) for _ in range(draw.randint(1, 6))) for _ in range(draw.randint(1, 5))]
        tags = ["fine" if "fine" in turn else "else" for turn in turns]
        rows.append({"turns": turns, "tags": tags, "topic": "fine" if "fine" in tags else "none"})
    return rows


SMALL = {"embedding": 8}
COPYING = {"output": ["fr"], "symbols": 300, "input_feeding": True, "copying": True, "attention": "additive"}
WINDOWS = {"context": 24, "segment": 6, "horizon": 5, "target": ["load"], "covariates": ["heat"]}
KINDS = {
    "words": ("classification", texts, SMALL),
    "subwords": ("classification", texts, SMALL | {"unit": "subword", "symbols": 300}),
    "characters": ("classification", texts, SMALL | {"unit": "char", "cell": "gru-reset-before", "layers": 2}),
    "series": ("classification", waves, {"cell": "peephole-lstm"}),
    "tags": ("tagging", tagged, SMALL | {"cell": "mgu"}),
    "streamed tags": ("tagging", tagged, SMALL | {"cell": "mingru", "bidirectional": False, "layers": 2}),
    "tagged series": ("tagging", measured, {"cell": "gru", "layers": 2}),
    "streamed series": ("tagging", measured, {"cell": "indrnn", "bidirectional": False}),
    "forecasts": ("forecasting", series, WINDOWS),
    "forecasts by series": ("forecasting", several, WINDOWS | {"group": "place", "scale": "series"}),
    "forecasts by window": ("forecasting", several, WINDOWS | {"group": "place"}),
    "translations": ("translation", pairs, SMALL | {"output": ["fr"], "unit": "char", "shared": False, "layers": 2}),
    "copies": ("translation", pairs, SMALL | COPYING),
    "images": ("classification", pictures, SMALL | {"output": ["label"]}),
    "rows of images": ("classification", pictures, SMALL | {"output": ["label"], "reading": "rows"}),
    "images of any width": ("classification", colours, SMALL | {"output": ["label"], "cell": "gru", "size": "x25"}),
    "grey images of any width": ("classification", greys, SMALL | {"output": ["label"], "size": "x12"}),
    "captions": ("captioning", colours, SMALL | {"output": ["caption"], "size": "x12", "unit": "char"}),
    "films": ("video-tagging", films, SMALL),
    "streamed films": ("video-tagging", films, SMALL | {"bidirectional": False, "size": "9x11", "cell": "mgu"}),
    "whole films": ("classification", films, SMALL | {"output": ["label"], "frames": 3}),
    "described films": ("captioning", frames, SMALL | {"output": ["caption"], "frames": 4, "unit": "char"}),
    "sounds": ("classification", sounds, SMALL | {"output": ["label"], "bands": 9}),
    "speech": ("speech-recognition", sounds, SMALL | {"output": ["text"], "stride": 3, "bands": 9}),
    "streamed speech": ("speech-recognition", sounds, SMALL | {"bidirectional": False, "layers": 2, "beam": 3}),
    "calls": ("call-analysis", calls, SMALL | {"output": ["tags", "topic"], "word_hidden": 5}),
    "followed calls": ("call-analysis", calls, SMALL | {"output": ["tags"], "bidirectional": False, "cell": "gru"}),
}


@pytest.fixture(scope="session")
def make_run(tmp_path_factory):
    """Make a run of a kind, once: prepared as for training, with the weights that training would begin with."""
    import torch

    from elman import tasks
    from elman.tasks.base import Files

    made = {}

    def make(kind):
        if kind not in made:
            name, rows, options = KINDS[kind]
            for needed in ["soundfile"] * (rows is sounds) + ["PIL"] * (rows in (pictures, colours, films, frames)):
                pytest.importorskip(needed)
            task, place = tasks.find(name), tmp_path_factory.mktemp("export")
            tables.write(place / "rows.jsonl", rows(200, place))
            options = task.Options.make(COMMON | options)
            prepared = task.prepare(Files(place / "rows.jsonl"), options, place)
            torch.manual_seed(0)
            network = task.network(prepared, options).eval()
            described = {"modalities": prepared.to_dict(), "model": task.describe(options)}
            made[kind] = SimpleNamespace(
                task=name, path=place, prepared=prepared, network=network, scores={}, description=described
            )
        return made[kind]

    return make


@pytest.fixture(scope="session")
def write_wav():
    """Write bytes as a WAV file."""
    return _write_wav


@pytest.fixture(params=KINDS)
def any_run(request, make_run):
    """A run of each kind."""
    return make_run(request.param)
