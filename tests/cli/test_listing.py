"""Runs in a list: what each learnt, how it ended, and how good it is beside its best baseline."""

import json
from pathlib import Path

import pytest

from elman.cli import listing
from elman.errors import UsageError


@pytest.fixture
def folder(tmp_path):
    """Two runs, one that is damaged, and something else."""
    score = {"wer": 0.02, "symbols": 9, "unit": "row"}
    rivals = [{"name": "a", "wer": 0.7}, {"name": "b", "wer": 0.4}, {"name": "c"}]
    data = {"train": {"path": "/data/clips.csv"}}
    common = {"schema": 1, "options": {}, "modalities": {}, "data": data, "task": "speech-recognition"}
    runs = {
        "old": {"created": "2026-01-02T03:04:05+00:00", "status": "interrupted", "scores": {}},
        "new": {
            "created": "2026-02-02T03:04:05+00:00",
            "status": "finished",
            "scores": {"valid": score | {"wer": 0.5}, "test": score},
            "baselines": {"valid": [], "test": rivals},
        },
    }
    for name, own in runs.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(json.dumps(common | own))
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "run.json").write_text("{")
    (tmp_path / "notes.txt").write_text("mine")
    return tmp_path


def test_runs_are_listed_the_latest_last_and_those_that_cannot_be_read_are_told(folder, capsys):
    listing.runs(folder)
    said = capsys.readouterr()
    first, *lines = [line.split() for line in said.out.splitlines()]
    assert first[:3] == ["run", "task", "trained"]
    common = ["speech-recognition", "clips.csv"]
    assert lines == [
        [str(folder / "old"), *common, "2026-01-02", "03:04", "interrupted", "-", "-", "-"],
        [str(folder / "new"), *common, "2026-02-02", "03:04", "wer", "0.020", "0.400", "test"],
    ]
    assert f"{folder / 'torn' / 'run.json'} is damaged" in said.err


def test_the_list_is_json_where_that_is_asked_for(folder, capsys):
    listing.runs(folder, json=True)
    *_, last = json.loads(capsys.readouterr().out)["runs"]
    assert (last["score"], last["best_baseline"], last["part"], last["measure"]) == (0.02, 0.4, "test", "wer")


def test_the_best_baseline_is_the_highest_where_more_is_better(folder, capsys):
    path = folder / "new" / "run.json"
    rivals = [{"name": name, "accuracy": value} for name, value in (("a", 0.3), ("b", 0.4), ("c", 0.1))]
    score = {"accuracy": 0.5, "symbols": 9, "unit": "row"}
    described = json.loads(path.read_text()) | {"scores": {"valid": score}, "baselines": {"valid": rivals}}
    path.write_text(json.dumps(described))
    listing.runs(folder, json=True)
    *_, last = json.loads(capsys.readouterr().out)["runs"]
    assert (last["score"], last["best_baseline"], last["part"]) == (0.5, 0.4, "valid")


@pytest.mark.parametrize("wrong", [{"data": None}, {"task": 3}, {"options": []}, {"schema": float("inf")}], ids=str)
def test_a_run_that_is_damaged_hides_no_other(folder, capsys, wrong):
    path = folder / "old" / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | wrong))
    listing.runs(folder)
    said = capsys.readouterr()
    assert [line.split()[0] for line in said.out.splitlines()[1:]] == [str(folder / "new")]
    assert f"{path} is damaged" in said.err


def test_a_folder_that_may_not_be_looked_into_hides_no_run(folder, capsys, monkeypatch):
    is_file = Path.is_file

    def refused(self):
        if self.parent.name == "old":
            raise PermissionError(13, "Permission denied")
        return is_file(self)

    monkeypatch.setattr(Path, "is_file", refused)
    listing.runs(folder)
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["run", str(folder / "new")]


def test_a_folder_that_is_a_run_itself_is_listed(folder, capsys):
    listing.runs(folder / "new")
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["run", str(folder / "new")]


def test_a_folder_that_is_not_there_or_holds_no_runs_is_told(folder, capsys):
    with pytest.raises(UsageError, match=r"^there is no folder nowhere; `elman train` makes runs in runs"):
        listing.runs(Path("nowhere"))
    (folder / "empty").mkdir()
    listing.runs(folder / "empty")
    assert capsys.readouterr().out == f"{folder / 'empty'} holds no runs.\n"
