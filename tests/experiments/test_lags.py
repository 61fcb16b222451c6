"""Long time lags: the problems are as defined, parameters equal, rows kept one by one, losers shown."""

import importlib.util
import json
import math
from pathlib import Path

import pytest
import torch

from elman.cells import CELLS
from elman.errors import DataError
from elman.experiments.lags import network as networks
from elman.experiments.lags import page, table
from elman.experiments.lags.problem import PROBLEMS
from elman.experiments.lags.table import Case
from elman.experiments.lags.training import BATCH, EVERY, Budget, scored, train

ROOT = Path(__file__).parent.parent.parent
SPEC = importlib.util.spec_from_file_location("lags", ROOT / "benchmarks" / "lags.py")
lags = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(lags)


def draw(problem, length, batch=64):
    return PROBLEMS[problem].draw(length, batch, torch.Generator().manual_seed(0))


class Says(torch.nn.Module):
    """Says the same whatever it reads."""

    def __init__(self, *outputs):
        super().__init__()
        self.outputs = torch.nn.Parameter(torch.tensor(outputs))

    def forward(self, inputs):
        return self.outputs.expand(inputs.shape[1], -1)


def test_adding_marks_one_number_in_each_half_and_asks_for_their_sum():
    examples = draw("adding", 20)
    values, marks = examples.inputs.unbind(-1)
    assert marks[:10].sum(0).eq(1).all()
    assert marks[10:].sum(0).eq(1).all()
    assert ((values >= 0) & (values < 1)).all()
    assert torch.allclose((values * marks).sum(0), examples.targets[:, 0])


def test_recall_shows_the_symbol_once_and_first_and_others_for_all_steps_of_the_lag():
    examples = draw("recall", 20)
    assert examples.inputs.shape == (21, 64, PROBLEMS["recall"].inputs)
    assert examples.inputs.sum(-1).eq(1).all()
    shown, half = examples.inputs.argmax(-1), PROBLEMS["recall"].outputs
    assert torch.equal(shown[0], examples.targets)
    assert (shown[0] < half).all()
    assert (shown[1:] >= half).all()
    assert set(shown.unique().tolist()) == set(range(2 * half))


@pytest.mark.parametrize("problem", PROBLEMS)
def test_who_guesses_has_the_score_of_chance(problem):
    best = {"adding": Says(1.0), "recall": Says(0.1, 0.0, 0.0, 0.0)}[problem]
    found = scored(best, PROBLEMS[problem], draw(problem, 20, 4096))
    assert found == pytest.approx(PROBLEMS[problem].chance, rel=0.08)
    assert not PROBLEMS[problem].solved(found)


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_has_about_the_same_parameters(cell, problem):
    made = networks.network(cell, problem, 200)
    count = sum(parameter.numel() for parameter in made.parameters())
    assert count == networks.parameter_count(CELLS[cell], problem, networks.hidden_size(CELLS[cell], problem))
    assert count == pytest.approx(networks.PARAMETERS, rel=0.03)
    assert made(problem.draw(3, 2, torch.Generator()).inputs).shape == (2, problem.outputs)


def test_cells_begin_as_their_papers_have_it():
    starts = {cell: networks.start_of(CELLS[cell], 1000) for cell in CELLS}
    assert starts["lstm"] == starts["gru"] == starts["sru"] == starts["mingru"] == "chrono:1000"
    assert (starts["rnn"], starts["rnn-relu"]) == ("orthogonal", "identity")
    assert starts["lru"] == starts["rg-lru"] == starts["indrnn"] == "own"


def trained(problem, network, updates, seconds=math.inf, rate=0.01):
    return train(network, PROBLEMS[problem], 3, Budget(updates, seconds), rate=rate, seed=0)


def test_training_ends_where_it_is_solved():
    found = trained("recall", networks.network("lstm", PROBLEMS["recall"], 3), 1000)
    assert found.end == "solved"
    assert found.score >= 0.95
    assert found.updates % EVERY == 0
    assert 0 < found.ms_per_update * found.updates / 1000 < 3 * found.seconds


def test_training_ends_with_its_updates_or_its_seconds_or_its_numbers():
    assert (trained("adding", Says(5.0), 30).end, trained("adding", Says(5.0), 30).updates) == ("updates", 30)
    assert (trained("adding", Says(5.0), 1000, 0.0).end, trained("adding", Says(5.0), 1000, 0.0).updates) == (
        "seconds",
        EVERY,
    )
    lost = trained("adding", Says(math.inf), 1000)
    assert (lost.end, lost.score, lost.updates) == ("not finite", None, EVERY)


def test_a_score_is_that_of_all_rows_whatever_the_batch():
    network, examples = networks.network("gru", PROBLEMS["adding"], 20), draw("adding", 20, 2 * BATCH + 1)
    with torch.no_grad():
        whole = torch.nn.functional.mse_loss(network(examples.inputs), examples.targets).item()
    assert scored(network, PROBLEMS["adding"], examples) == pytest.approx(whole, rel=1e-5)


@pytest.fixture
def short(monkeypatch):
    """Lengths of a few steps, a few updates."""
    monkeypatch.setattr(table, "BUDGETS", {4: Budget(2), 6: Budget(2)})


@pytest.fixture
def call(short, tmp_path, capsys):
    """Run the script; return the lines that it printed, the last one read."""

    def run(*words):
        lags.main([*words, "--results", str(tmp_path / "kept" / "lags.json"), "--page", str(tmp_path / "lags.md")])
        *lines, last = capsys.readouterr().out.splitlines()
        return lines, json.loads(last)

    return run


def test_rows_are_kept_one_by_one_and_a_second_call_measures_what_is_missing(call, tmp_path):
    lines, rows = call("--cell", "lstm", "--cell", "lru", "--length", "6")
    assert len(lines) == len(rows) == 4
    assert all("T=6: cell l" in line and "updates not in 2" in line for line in lines)
    lines, rows = call("--cell", "lstm", "--seeds", "2")
    assert len(lines) == 6
    assert [table.case_of(row) for row in rows][:3] == [
        Case(4, "adding", "lstm", 0),
        Case(4, "adding", "lstm", 1),
        Case(4, "recall", "lstm", 0),
    ]
    assert len(rows) == 10
    assert call("--cell", "lstm", "--seeds", "2")[0] == []
    assert len(call("--cell", "lru", "--length", "6", "--problem", "recall", "--again")[0]) == 1
    kept = json.loads((tmp_path / "kept" / "lags.json").read_text())
    assert len(kept["rows"]) == 10
    assert {"hidden", "parameters", "ms_per_update", "updates", "end", "score", "seconds"} <= kept["rows"][0].keys()


def test_what_was_measured_is_kept_when_the_next_row_fails(short, tmp_path, monkeypatch):
    path, measured = tmp_path / "lags.json", table.measured
    monkeypatch.setattr(table, "measured", lambda case, budget: measured(case, budget) if case.cell == "rnn" else 1 / 0)
    with pytest.raises(ZeroDivisionError):
        table.fill(path, table.cases([4], ["adding"], ["rnn", "gru"]), lambda row: None)
    assert [row["cell"] for row in table.load(path)] == ["rnn"]


def test_the_same_seed_gives_the_same_score(short):
    case = Case(4, "recall", "gru", 0)
    one, other = (table.measured(case, Budget(3)) for _ in range(2))
    assert one["score"] == other["score"]


def test_a_file_that_is_no_table_is_refused(tmp_path):
    path = tmp_path / "lags.json"
    path.write_text("[]")
    with pytest.raises(DataError, match=r"lags\.json holds no table of lags"):
        table.load(path)


ROW = {
    "length": 200, "problem": "adding", "cell": "gru", "seed": 0, "start": "chrono:200", "rate": 0.01, "hidden": 59,
    "parameters": 16617, "ms_per_update": 8.04, "updates": 300, "end": "solved", "score": 0.0123, "seconds": 2.9,
    "elman": "0", "date": "2026-01-01", "where": "here",
}  # fmt: skip


def test_the_page_shows_losers_last_and_what_became_of_them():
    rows = [
        ROW | {"cell": "rnn", "end": "updates", "updates": 2000, "score": 0.17, "seconds": 16.0},
        ROW | {"cell": "indrnn", "end": "not finite", "updates": 25, "score": None},
        ROW | {"cell": "lstm", "seconds": 4.0},
        ROW,
        ROW | {"problem": "recall", "end": "seconds", "score": 0.5},
    ]
    made = page.page(rows)
    section = made.split("## The adding problem, T = 200")[1].split("##")[0]
    assert [line.split(" | ")[0][2:] for line in section.splitlines()[4:8]] == ["gru", "lstm", "rnn", "indrnn"]
    assert "| gru | chrono:200 | 0.01 | 59 | 16,617 | 8.0 | 300 | 0.012 | 2.9 |" in section
    assert "| not in 2,000 | 0.170 |" in section
    assert "| not in 25, overflow | overflow |" in section
    assert "| not in 300, time is up | 50% |" in made
    assert "| rnn | no: 0.170 | - |" in made
    assert "| gru | **300 updates**, 3 s | no: 50% |" in made


def test_the_page_in_docs_is_made_from_the_rows_that_are_kept():
    kept = table.load(ROOT / "benchmarks" / "results" / "lags.json")
    assert (ROOT / "docs" / "lags.md").read_text() == page.page(kept), "run python benchmarks/lags.py"
