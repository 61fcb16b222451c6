"""What a killed process leaves is whole, and is gone on with; what it left half-written is removed."""

import json
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

import elman
from elman.errors import DataError, RunError
from elman.run import folder
from elman.training.loop import Trainer


class Killed(BaseException):
    """Stands for `kill -9`: nothing in the way of it writes anything."""


def killed_at(patch, step):
    """Let training end without warning when that step is done."""
    update = Trainer.update

    def last(self, share):
        update(self, share)
        if self.progress.step == step:
            raise Killed

    patch.setattr(Trainer, "update", last)


def train(data, out, **options):
    return elman.train("language-modeling", data, out=out, quiet=True, **options)


def test_a_new_budget_outlives_a_kill_and_no_score_outlives_its_network(text_file, tmp_path, tiny):
    options = tiny | {"validations": 1}
    for name in ("whole", "part"):
        train(text_file, tmp_path / name, **(options | {"steps": 6}))
    train(text_file, tmp_path / "whole", resume=True, steps=12)
    with pytest.MonkeyPatch.context() as patch:
        killed_at(patch, 9)
        with pytest.raises(Killed):
            train(text_file, tmp_path / "part", resume=True, steps=12)
    meanwhile = elman.load(tmp_path / "part")
    assert (meanwhile.description["status"], meanwhile.options.steps, meanwhile.scores) == ("training", 12, {})
    assert meanwhile.evaluate()["score"]
    again = train(text_file, tmp_path / "part", resume=True)
    assert again.description["training"]["steps"] == 12
    ours, theirs = (load_file(tmp_path / name / "model.safetensors") for name in ("part", "whole"))
    assert [key for key in theirs if not torch.equal(ours[key], theirs[key])] == []


@pytest.mark.parametrize("why", ["is damaged", "does not fit this run"])
def test_a_run_that_cannot_go_on_stays_as_it_was(text_file, tmp_path, tiny, why):
    out, other = tmp_path / "r", tmp_path / "other"
    train(text_file, out, **(tiny | {"steps": 3}))
    if why == "does not fit this run":
        train(text_file, other, **(tiny | {"steps": 3, "hidden": 16}))
        (other / "state" / "checkpoint.safetensors").replace(out / "state" / "checkpoint.safetensors")
    else:
        (out / "state" / "checkpoint.safetensors").write_bytes(b"torn")
    before = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    with pytest.raises(RunError, match=rf"checkpoint.safetensors {why}"):
        train(text_file, out, resume=True, steps=5)
    assert {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()} == before


def test_data_whose_preparation_was_killed_is_prepared_anew(text_file, tmp_path, tiny):
    out = tmp_path / "r"
    (out / "state" / "frames").mkdir(parents=True)
    for name in (
        "state/.held",
        "state/train.symbols",
        "state/test.symbols",
        "state/frames/0",
        "state/.valid.symbols.77.tmp",
        ".run.json.77.tmp",
    ):
        (out / name).write_bytes(b"half")
    with pytest.raises(RunError, match=r"holds no run yet: its data .* train it anew, without --resume"):
        train(text_file, out, resume=True)
    train(text_file, out, **(tiny | {"steps": 2}))
    assert {path.name for path in (out / "state").iterdir()} == {
        ".held", "checkpoint.safetensors", "train.symbols", "valid.symbols",
    }  # fmt: skip
    assert not (out / ".run.json.77.tmp").exists()


def test_a_folder_with_anything_else_is_not_taken(text_file, tmp_path, tiny):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "mine.txt").touch()
    with pytest.raises(RunError, match="is not empty; choose another --out"):
        train(text_file, tmp_path, **tiny)


def test_a_folder_in_which_only_an_empty_state_was_made_is_taken_and_one_without_a_state_is_not(tmp_path):
    (tmp_path / "state").mkdir()
    assert folder.create(tmp_path).path == tmp_path
    (tmp_path / "state").rmdir()
    (tmp_path / "state").write_text("mine")
    with pytest.raises(RunError, match="is not empty; choose another --out"):
        folder.create(tmp_path)


def test_a_run_that_is_not_there_is_not_gone_on_with(text_file, tmp_path):
    with pytest.raises(RunError, match=r"there is no run folder .*nowhere"):
        train(text_file, tmp_path / "nowhere", resume=True)
    assert not any(tmp_path.iterdir())


def test_a_folder_that_cannot_be_held_is_told(tmp_path):
    (tmp_path / "state" / ".held").mkdir(parents=True)
    with pytest.raises(RunError, match=r"cannot write .*\.held: "), folder.RunFolder(tmp_path).held():
        pass


def test_an_empty_folder_of_the_users_stays_where_the_data_cannot_be_prepared(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "data.txt").touch()
    for name in ("mine", "new"):
        with pytest.raises(DataError, match=r"data\.txt is empty"):
            train(tmp_path / "data.txt", tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.txt", "mine"]
    assert not any((tmp_path / "mine").iterdir())


def test_what_was_being_written_is_removed_and_nothing_of_others(text_file, tmp_path, tiny):
    out = tmp_path / "r"
    train(text_file, out, **(tiny | {"steps": 2}))
    torn = [out / ".model.safetensors.77.tmp", out / "state" / ".checkpoint.safetensors.77.tmp"]
    foreign = out / ".table.csv.77.tmp"
    for path in (*torn, foreign):
        path.touch()
    with (out / "metrics.jsonl").open("ab") as metrics:
        metrics.write(b'{"step": 2, "lo\xff')
    train(text_file, out, resume=True, steps=3)
    assert [json.loads(line)["step"] for line in (out / "metrics.jsonl").read_text().splitlines()] == [1, 2, 3]
    assert [path.exists() for path in (*torn, foreign)] == [False, False, True]


def test_data_that_is_gone_is_not_missed_and_another_name_is(text_file, tmp_path, tiny):
    data, out = tmp_path / "data.txt", tmp_path / "r"
    data.write_text(text_file.read_text())
    train(data, out, **(tiny | {"steps": 2}))
    data.unlink()
    assert train(data, out, resume=True, steps=3).description["training"]["steps"] == 3
    with pytest.raises(DataError, match=r"cannot read .*daten.txt"):
        train(tmp_path / "daten.txt", out, resume=True, steps=4)


@pytest.mark.parametrize("status", ["finished", "stopped", "interrupted"])
def test_a_trained_run_without_its_checkpoint_is_not_trained_from_the_beginning(run, text_file, tmp_path, status):
    out = shutil.copytree(run.path, tmp_path / "r")
    (out / "state" / "checkpoint.safetensors").unlink()
    described = json.loads((out / "run.json").read_text()) | {"status": status}
    (out / "run.json").write_text(json.dumps(described))
    with pytest.raises(RunError, match=r"checkpoint.safetensors is missing"):
        train(text_file, out, resume=True, steps=200)
    assert elman.load(out).description == described


def test_runs_that_begin_together_do_not_take_the_same_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert [folder.unused("mat").name for _ in range(2)] == ["mat-1", "mat-2"]
    with pytest.raises(RunError, match=r"cannot make the folder runs/zz.*: file name too long; give --out"):
        folder.unused("z" * 300)


def test_sigterm_while_the_data_is_prepared_leaves_nothing(text_file, tmp_path):
    code = (
        "import os, signal\nfrom elman.modalities.text import Text\nfrom elman.cli import main\n"
        "encode = Text.encode\n"
        "Text.encode = lambda *given: (encode(*given), os.kill(os.getpid(), signal.SIGTERM))[0]\nmain()"
    )
    line = [sys.executable, "-c", code, "train", "language-modeling", str(text_file), "--out", str(tmp_path / "r")]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (143, "", "")
    assert not (tmp_path / "r").exists()


def test_nobody_who_reads_the_progress_ends_nothing(text_file, tmp_path):
    code = (
        "import os\nfrom elman.training.loop import Trainer\nfrom elman.cli import main\n"
        "update = Trainer.update\n"
        "def gone(*given):\n    update(*given)\n    ends = os.pipe()\n    os.close(ends[0])\n    os.dup2(ends[1], 2)\n"
        "Trainer.update = gone\nmain()"
    )
    small = ["--hidden", "8", "--steps", "4", "--lanes", "4"]
    line = [sys.executable, "-c", code, "train", "language-modeling", str(text_file), "--out", str(tmp_path), *small]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert "Report:" in done.stdout
    assert json.loads((tmp_path / "run.json").read_text())["status"] == "finished"
