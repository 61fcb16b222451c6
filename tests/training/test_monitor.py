"""What is shown while a run trains."""

import threading
import time
from types import SimpleNamespace

import pytest

from elman import files
from elman.training import monitor
from elman.training.monitor import Display, Metrics, TimeLeft, telling


@pytest.mark.parametrize(
    ("seconds", "left"),
    [(None, ""), (4.6, "0:04 left"), (600, "10:00 left"), (3600, "1:00:00 left"), (36_061, "10:01:01 left")],
)
def test_the_time_left_is_told_in_hours_minutes_and_seconds(seconds, left):
    assert TimeLeft().render(SimpleNamespace(fields={"left": seconds})).plain.strip() == left


@pytest.mark.parametrize("quiet", [False, True])
def test_without_a_terminal_all_validations_are_lines_and_of_training_one_in_ten_seconds(
    tmp_path, monkeypatch, capsys, quiet
):
    now, metrics = [100.0], Metrics(tmp_path / "metrics.jsonl")
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    with Display(metrics, "characters", quiet=quiet) as display:
        for at, share, values in (
            (100, 0.1, {"step": 10, "loss": 3.0, "symbols_per_second": 12_345.0}),
            (109, 0.2, {"step": 20, "loss": 2.0, "symbols_per_second": 1.0}),
            (109, 0.25, {"step": 25, "valid_loss": 2.5}),
            (118, 0.4, {"step": 40, "loss": 1.75, "symbols_per_second": 1.0}),
            (120, 0.5, {"step": 1050, "loss": 1.5, "symbols_per_second": 9.0}),
            (121, 1.1, {"step": 1060, "valid_loss": 1.25}),
        ):
            now[0] = at
            (display.training if "loss" in values else display.validation)(share, values)
    said = [
        " 10%  step 10  loss 3.000  12,345 characters/s",
        " 25%  step 25  valid 2.500  0:45 left",
        " 50%  step 1,050  loss 1.500  valid 2.500  9 characters/s  0:25 left",
        "100%  step 1,060  valid 1.250  0:00 left",
    ]
    assert capsys.readouterr().err.splitlines() == ([] if quiet else said)
    assert [line["step"] for line in files.json_lines(metrics.path)] == [10, 20, 25, 40, 1050, 1060]
    metrics.forget_after(25)
    assert [line["step"] for line in files.json_lines(metrics.path)] == [10, 20, 25]


def test_what_takes_long_is_told_unless_it_is_to_be_quiet(monkeypatch, capsys):
    def wait():
        for thread in set(threading.enumerate()) - before:
            thread.join()

    before = set(threading.enumerate())
    with telling("Reading a.csv"):
        pass
    wait()
    monkeypatch.setattr(monitor, "PATIENCE", 0.0)
    with telling("Reading b.csv", quiet=True):
        wait()
    with telling("Reading c.csv"):
        wait()
    assert capsys.readouterr().err == "Reading c.csv ...\n"


def test_who_interrupts_is_told_what_follows(tmp_path, capsys):
    with Display(Metrics(tmp_path / "metrics.jsonl"), "rows") as display:
        display.interrupted(1)
        display.interrupted(2)
    first, second = capsys.readouterr().err.splitlines()
    assert first == "Interrupted: keeping and scoring what was learnt so far; Ctrl-C again leaves out the scores."
    assert second == "Interrupted: leaving out what is not scored yet; Ctrl-C again ends at once."
