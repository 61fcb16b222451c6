"""What all tests share."""

import random

import pytest

WORDS = ("the", "cat", "sat", "on", "a", "mat", "and", "dog", "ran", "to", "sun", "while", "we", "saw", "how", "it")
TINY = {"hidden": 24, "embedding": 8, "lanes": 8, "window": 16, "steps": 40, "precision": "float32"}


def make_text(characters: int = 20_000, seed: int = 0) -> str:
    """Return sentences of known words: made, not copied, and regular enough to be learnt in seconds."""
    draw, lines, length = random.Random(seed), [], 0
    while length < characters:
        lines.append(" ".join(draw.choices(WORDS, k=draw.randint(3, 9))) + ".\n")
        length += len(lines[-1])
    return "".join(lines)


@pytest.fixture(scope="session")
def text_file(tmp_path_factory):
    """A small text to train on."""
    path = tmp_path_factory.mktemp("text") / "mat.txt"
    path.write_text(make_text())
    return path


@pytest.fixture(scope="session")
def tiny():
    """Options of a network that trains in a second."""
    return dict(TINY)


@pytest.fixture(scope="session")
def run(text_file, tmp_path_factory):
    """A finished run; tests read it and do not change it."""
    import elman

    out = tmp_path_factory.mktemp("runs") / "mat"
    return elman.train("language-modeling", text_file, out=out, quiet=True, **(TINY | {"steps": 150, "rate": 0.01}))
