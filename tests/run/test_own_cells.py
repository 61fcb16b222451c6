"""A cell of the user's own, by `module:Class`, from training to prediction and in processes that lack it."""

import importlib
import json
import subprocess
import sys

import pytest

import elman
from elman.cells import CELLS
from elman.cells.own import alike, own, tried
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
    write(tmp_path, SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    forget()


def write(folder, source):
    """Make the module what it may have become since, as a new process finds it."""
    forget()
    (folder / "leaky_cells.py").write_text(source)


def forget():
    sys.modules.pop("leaky_cells", None)
    importlib.invalidate_caches()
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


@pytest.fixture
def trained(folder, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # which goes by seconds and sizes
    tables.write(folder / "rows.jsonl", ROWS)
    elman.train("classification", ROWS, out=folder / "r", cell="leaky_cells:Leaky", steps=2, hidden=8, quiet=True)
    return folder


def resumed(folder):
    return elman.train("classification", ROWS, out=folder / "r", resume=True, steps=4, quiet=True)


def test_a_run_whose_cell_has_changed_is_not_continued_and_its_answers_come_with_a_warning(trained):
    write(trained, SOURCE.replace("0.5 * state[0]", "0.4 * state[0]"))
    with pytest.raises(elman.ElmanError, match=r"'leaky_cells:Leaky' computes something else .* bring its former code"):
        resumed(trained)
    with pytest.warns(UserWarning, match=r"'leaky_cells:Leaky' computes something else .* answers are not what they"):
        elman.load(trained / "r").predict(["apple pie"])
    told = elsewhere("predict", trained / "r", trained / "rows.jsonl", folder=trained)
    assert told.stderr.startswith("UserWarning: the cell 'leaky_cells:Leaky' computes something else")
    assert told.stderr.count("\n") == 1
    write(trained, SOURCE)
    assert resumed(trained).description["training"]["steps"] == 4


OTHERWISE = """
import elman

class Leaky(elman.Cell):
    \"\"\"The same by other names, in other words.\"\"\"

    gates = ("new",)
    states = ("out",)

    def step(self, read, before, weights):
        (out,) = before  # what was said
        return ((out + (weights.recurrent(out) + read).tanh()) / 2,)
"""


def test_other_names_comments_and_ways_to_write_the_same_do_not_count(trained):
    write(trained, OTHERWISE)
    assert resumed(trained).description["training"]["steps"] == 4


def test_a_run_that_does_not_say_what_its_cell_computed_goes_on(trained):
    path = trained / "r" / "run.json"
    described = json.loads(path.read_text())
    assert len(described.pop("step")) == 8
    path.write_text(json.dumps(described))
    write(trained, SOURCE.replace("0.5 * state[0]", "0.4 * state[0]"))
    assert resumed(trained).description["training"]["steps"] == 4


def test_a_trial_tells_cells_apart():
    found = [tried(cell, 8) for cell in CELLS.values()]
    assert all(found)
    assert not any(alike(one, other) for k, one in enumerate(found) for other in found[:k])


class Odd(elman.Cell):
    gates, states, more = ("n",), ("h",), 1.0

    def step(self, projected, state, weights):
        Odd.more += 1
        return (projected + weights.recurrent(state[0]) * Odd.more,)


class Broken(Odd):
    def step(self, projected, state, weights):
        raise ZeroDivisionError


@pytest.mark.parametrize("cell", [Odd(), Broken()])
def test_what_is_another_each_time_or_cannot_be_tried_is_not_compared(cell):
    assert tried(cell, 8) == []
