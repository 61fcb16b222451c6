"""Small runs of every kind that can be exported."""

import math
import random
from types import SimpleNamespace

import pytest

from elman.data import tables

COMMON = {"hidden": 12, "precision": "float32"}
WORDS = ("fine", "day", "the", "film", "Rome", "won't", "x9", "very", "Größe")


def texts(count):
    draw = random.Random(0)
    rows = ([draw.choice(WORDS) for _ in range(draw.randint(1, 7))] for _ in range(count))
    return [{"text": f"{' '.join(words)}!", "label": ("good", "bad")["fine" in words]} for words in rows]


def tagged(count):
    draw = random.Random(1)
    rows = ([draw.choice(WORDS) for _ in range(draw.randint(1, 7))] for _ in range(count))
    return [{"tokens": words, "tags": ["B-place" if w == "Rome" else "O" for w in words]} for words in rows]


def waves(count):
    draw = random.Random(2)
    rows = [(draw.choice((0.3, 1.0)), draw.randint(3, 9)) for _ in range(count)]
    return [{"signal": [[math.sin(a * t), 5 + t] for t in range(n)], "kind": f"k{a}"} for a, n in rows]


def series(count):
    return [{"load": math.sin(t / 3), "heat": 20 + math.cos(t / 5)} for t in range(count)]


def pairs(count):
    draw = random.Random(3)
    rows = ([draw.choice(WORDS) for _ in range(draw.randint(1, 5))] for _ in range(count))
    return [{"en": " ".join(words), "fr": " ".join(reversed(words))} for words in rows]


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
    "forecasts": ("forecasting", series, WINDOWS),
    "translations": ("translation", pairs, SMALL | {"output": ["fr"], "unit": "char", "shared": False, "layers": 2}),
    "copies": ("translation", pairs, SMALL | COPYING),
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
            task, place = tasks.find(name), tmp_path_factory.mktemp("export")
            tables.write(place / "rows.jsonl", rows(200))
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


@pytest.fixture(params=KINDS)
def any_run(request, make_run):
    """A run of each kind."""
    return make_run(request.param)
