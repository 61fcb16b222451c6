"""A cell of the user's own, by `module:Class`, from training to prediction and in processes that lack it."""

import importlib
import subprocess
import sys

import pytest

import elman
from elman.cells.own import own
from elman.data import tables

SOURCE = """
import elman

class Leaky(elman.Cell):
    gates = ("n",)
    states = ("h",)

    def step(self, projected, state, weights):
        return (0.5 * state[0] + 0.5 * (projected + weights.recurrent(state[0])).tanh(),)

ready = Leaky()
number = 3

class Wrong(elman.Cell):
    gates = ()
    states = ("h",)
"""
ROWS = [{"text": text, "label": text[0]} for text in ("apple tree", "banana split", "apple pie", "banana boat") * 10]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "leaky_cells.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("leaky_cells", None)
    own.cache_clear()


def elsewhere(*arguments, folder):
    command = [sys.executable, "-m", "elman", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


def test_it_is_trained_and_answers_where_its_module_is_and_is_missed_elsewhere(folder, tmp_path_factory):
    table = tables.write(folder / "rows.jsonl", ROWS)
    made = elman.train(
        "classification", table, out=folder / "r", cell="leaky_cells:Leaky", steps=5, hidden=16, quiet=True
    )
    assert made.network.recurrence.cell.name == "leaky"
    assert "LEAKY" in made.description["model"]["summary"]
    expected = elsewhere("predict", folder / "r", table, folder=folder)
    assert expected.returncode == 0
    assert len(expected.stdout.splitlines()) == 1 + len(ROWS)
    missed = elsewhere("predict", folder / "r", table, folder=tmp_path_factory.mktemp("away"))
    assert missed.returncode != 0
    assert "No module named 'leaky_cells'" in missed.stderr
    assert "damaged" not in missed.stderr
    assert "Traceback" not in missed.stderr


def test_a_class_is_given_itself(folder):
    leaky = importlib.import_module("leaky_cells").Leaky
    made = elman.train("classification", ROWS, out=folder / "r", cell=leaky, steps=2, hidden=8, quiet=True)
    assert made.options.cell == "leaky_cells:Leaky"
    assert elman.load(folder / "r").network.recurrence.cell == leaky()


def test_a_cell_that_is_made_already_may_be_named(folder):
    assert elman.Recurrent("leaky_cells:ready", 3, 4).cell.name == "leaky"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("leaky_cells:Nothing", "no attribute 'Nothing'"),
        ("leaky_cells:number", "is no cell but of int"),
        ("leaky_cells:Wrong", "instantiate abstract class Wrong"),
        ("no_such_module:Cell", "have a module no_such_module in the working directory"),
        ("leaky_cells", "module:Class for one of your own"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_is_no_cell_is_told(name, said):
    with pytest.raises(elman.ElmanError, match=said):
        elman.Recurrent(name, 3, 4)
