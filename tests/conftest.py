"""What all tests share."""

import random
import sys
from importlib.metadata import version

import pytest
from hypothesis import HealthCheck, settings

from elman.engine.extension import missing

WORDS = ("the", "cat", "sat", "on", "a", "mat", "and", "dog", "ran", "to", "sun", "while", "we", "saw", "how", "it")
TINY = {"hidden": 24, "embedding": 8, "lanes": 8, "window": 16, "steps": 40, "precision": "float32"}
ONE_GRAPH = tuple(map(int, version("torch").split(".")[:2])) >= (2, 13)  # docs/layers.md says what others make


# A busy machine is no defect.
settings.register_profile("elman", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("elman")


def pytest_configure(config):
    if missing:
        config.addinivalue_line("filterwarnings", "ignore:the native engine was:elman.errors.FallbackWarning")


def pytest_collection_modifyitems(items):
    """Skip what needs a torch of later days: what is marked `one_graph`.

    Without the native engine, tests marked `native` and tests of the backend of that name are skipped.
    """
    for item in items if not ONE_GRAPH else ():
        if item.get_closest_marker("one_graph"):
            item.add_marker(pytest.mark.skip(reason="this torch's compiler does not make one graph of every layer"))
    for item in items if missing else ():
        values = item.callspec.params.values() if hasattr(item, "callspec") else ()
        if item.get_closest_marker("native") or any(isinstance(value, str) and value == "native" for value in values):
            item.add_marker(pytest.mark.skip(reason=f"the native engine {missing}"))


def make_text(characters: int = 20_000, seed: int = 0) -> str:
    """Return sentences of known words: made, not copied, and regular enough to be learnt in seconds."""
    draw, lines, length = random.Random(seed), [], 0
    while length < characters:
        lines.append(" ".join(draw.choices(WORDS, k=draw.randint(3, 9))) + ".\n")
        length += len(lines[-1])
    return "".join(lines)


@pytest.fixture
def command(monkeypatch, capsys):
    """Run a command line; return exit status, stdout, stderr."""
    from elman import cli

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["elman", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        out, err = capsys.readouterr()
        return stopped.value.code or 0, out, err

    return call


@pytest.fixture(params=[1, 2])
def threads(request):
    """Computes with so many threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


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
