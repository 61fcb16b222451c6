"""Small tables that are regular enough to be learnt in a second."""

import math
import random

import pytest

from elman.data import tables

TINY = {
    "batch": 32,
    "hidden": 16,
    "embedding": 16,
    "epochs": 30.0,
    "rate": 0.01,
    "precision": "float32",
    "dropout": 0.1,
    "input_dropout": 0.1,
}
GOOD, BAD = ("fine", "lovely", "bright"), ("dull", "sad", "grey")
FILLERS = ("a", "the", "film", "day", "was", "very", "it", "and")
CITIES = ("oslo", "new york", "rome", "sao paulo")


def texts(count, seed=0):
    """The label says whether a good word is in the text."""
    draw, rows = random.Random(seed), []
    for _ in range(count):
        good = draw.random() < 0.4
        words = [*draw.choices(FILLERS, k=draw.randint(2, 9)), draw.choice(GOOD if good else BAD)]
        draw.shuffle(words)
        rows.append({"text": " ".join(words), "label": "pos" if good else "neg"})
    return rows


def tagged(count, seed=0):
    """City names are spans; the kind depends on the word before; the intent on the first word."""
    draw, rows = random.Random(seed), []
    for _ in range(count):
        first, mark = draw.choice(("fly", "drive")), draw.choice(("from", "to"))
        tokens, tags = [first, mark], ["O", "O"]
        for k, word in enumerate(draw.choice(CITIES).split()):
            tokens.append(word)
            tags.append(f"{'I' if k else 'B'}-{mark}")
        rows.append({"tokens": [*tokens, "please"], "tags": [*tags, "O"], "intent": first})
    return rows


def waves(count, seed=0):
    """Slow and fast waves of unequal length, in two channels."""
    draw, rows = random.Random(seed), []
    for _ in range(count):
        kind = draw.choice(("slow", "fast"))
        speed, begin = {"slow": 0.3, "fast": 1.0}[kind], draw.random() * 6
        steps = range(draw.randint(10, 20))
        rows.append({"signal": [[math.sin(begin + speed * t), draw.gauss(5, 1)] for t in steps], "kind": kind})
    return rows


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """The tables as files."""
    place = tmp_path_factory.mktemp("tables")
    for name, make in (("texts.csv", texts), ("tagged.jsonl", tagged), ("waves.jsonl", waves)):
        tables.write(place / name, make(300))
        tables.write(place / f"test-{name}", make(60, seed=1))
    return place


@pytest.fixture(scope="session")
def trained(folder, tmp_path_factory):
    """A finished run of each kind, by the table's name; tests read them and do not change them."""
    import elman

    out, runs = tmp_path_factory.mktemp("runs"), {}
    for name, task, options in (
        ("texts.csv", "classification", {}),
        ("waves.jsonl", "classification", {}),
        ("tagged.jsonl", "tagging", {"output": ["tags", "intent"]}),
    ):
        given = TINY | options
        runs[name] = elman.train(task, folder / name, test=folder / f"test-{name}", out=out / name, quiet=True, **given)
    return runs
