"""Several processes on shares of every batch end where one process ends on the whole ones."""

import ast
import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file

SIZES = ["--hidden", "12", "--quiet", "--precision", "float32"]
WRITE = ["train", "language-modeling", "text.txt", *SIZES, "--lanes", "7", "--window", "16"]
PLAIN = ["--dropout", "0", "--optimizer", "sgd", "--rate", "0.3"]
"""No masks, and an optimizer that does not magnify the rounding of sums."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Small files to learn from."""
    path = tmp_path_factory.mktemp("processes")
    (path / "text.txt").write_text("the quick brown fox jumps over the lazy dog. " * 200)
    rows = [
        {
            "steps": [[(k * n) % 5 / 5, (k + n) % 3 / 3] for n in range(1, 2 + k % 6)],
            "tags": ["ABC"[(k * n) % 3] for n in range(1, 2 + k % 6)],
            "kind": "odd" if k % 2 else "even",
        }
        for k in range(50)
    ]
    (path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    values = [f"{(k % 24) / 3 + (k % 7)},{k % 5}" for k in range(400)]
    (path / "series.csv").write_text("a,b\n" + "\n".join(values))
    words = ["red", "green", "blue", "loud", "sweet"]
    pairs = [{"en": f"we see {w} and {v}", "fr": f"{v} et {w} nous voyons"} for w in words for v in words]
    (path / "pairs.jsonl").write_text("\n".join(map(json.dumps, pairs)))
    return path


def free_port():
    """A port that nobody uses."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def start(folder, count, *arguments, run=("-m", "elman")):
    """Start so many processes that find each other, as launchers do."""
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(count)}
    shared |= {"OMP_NUM_THREADS": "1", "LOCAL_WORLD_SIZE": str(count)}
    shared |= {"USE_LIBUV": "0"}  # for builds of torch without it, as Debian's
    return [
        subprocess.Popen(
            [sys.executable, *run, *map(str, arguments)],
            cwd=folder,
            env=os.environ | (shared | {"RANK": str(k), "LOCAL_RANK": str(k)} if count > 1 else {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for k in range(count)
    ]


def finish(processes):
    """The exit statuses, and what was printed, by process."""
    said = [process.communicate(timeout=120) for process in processes]
    # Debian's gloo tells of its connections, in lines of its own.
    of_elman = [
        [line for line in err.splitlines(keepends=True) if "/gloo/" not in line or line.startswith("elman:")]
        for _, err in said
    ]
    codes = [process.returncode for process in processes]
    return codes, [(out, "".join(lines)) for (out, _), lines in zip(said, of_elman, strict=True)]


def train(folder, count, *arguments):
    """Train to the end; what the first process printed."""
    codes, said = finish(start(folder, count, *arguments))
    assert codes == [0] * count, said
    assert [out for out, _ in said[1:]] == [""] * (count - 1)
    return said[0][0]


def weights(run):
    """The best weights of a run."""
    return load_file(run / "model.safetensors")


TASKS = {
    "language-modeling": (3, [*WRITE, *PLAIN, "--advance", "8", "--accumulate", "2"]),
    "tagging": (
        2,
        [
            "rows.jsonl",
            "--input",
            "steps",
            "--output",
            "tags,kind",
            "--input-dropout",
            "0",
            "--noise",
            "0",
            "--batch",
            "9",
        ],
    ),
    "forecasting": (2, ["series.csv", "--horizon", "6", "--batch", "5"]),
    "translation": (2, ["pairs.jsonl", "--output", "fr", "--unit", "word", "--input-dropout", "0", "--batch", "5"]),
}


@pytest.mark.parametrize(
    "task",
    [
        "language-modeling",
        "tagging",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("forecasting", "translation")),
    ],
)
def test_shares_add_up_to_the_whole(folder, task):
    count, arguments = TASKS[task]
    for name, number in (("one", 1), ("several", count)):
        own = arguments if arguments[0] == "train" else ["train", task, *arguments, *SIZES, *PLAIN]
        train(folder, number, *own, "--steps", "12", "--validations", "3", "--out", f"{task}-{name}")
    one, several = folder / f"{task}-one", folder / f"{task}-several"
    expected, found = weights(one), weights(several)
    assert max(float((found[name] - value).abs().max()) for name, value in expected.items()) < 2e-6
    assert losses(one) == pytest.approx(losses(several), rel=1e-5)
    described = [json.loads((run / "run.json").read_text()) for run in (one, several)]
    assert described[0]["training"]["symbols_seen"] == described[1]["training"]["symbols_seen"]


def losses(run):
    """The training losses that a run has written down."""
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return [line["loss"] for line in lines if "loss" in line]


def test_interrupted_and_continued_they_end_as_if_nothing_had_happened(folder):
    budget = ["--steps", "150", "--validations", "5"]
    train(folder, 2, *WRITE, *budget, "--out", "whole")
    begun = start(folder, 2, *WRITE, *budget, "--out", "part")
    wait_for_losses(begun, folder / "part", 5)
    begun[0].send_signal(signal.SIGINT)
    codes, said = finish(begun)
    assert codes == [0, 0], said
    assert "Interrupted after" in said[0][0]
    train(folder, 2, *WRITE, "--steps", "150", "--out", "part", "--resume")
    whole, part = (load_file(folder / name / "state" / "checkpoint.safetensors") for name in ("whole", "part"))
    assert whole.keys() == part.keys()
    assert [name for name, value in whole.items() if not torch.equal(value, part[name])] == []
    assert [f"random.{k}" in whole for k in range(3)] == [True, True, False]
    assert not torch.equal(whole["random.0"], whole["random.1"])  # no two rows have the same masks


def wait_for_losses(processes, run, count):
    """Wait until a run has written down so many."""
    deadline = time.monotonic() + 120
    while not (run / "metrics.jsonl").exists() or len(losses(run)) < count:
        assert [process.poll() for process in processes] == [None] * len(processes)
        assert time.monotonic() < deadline
        time.sleep(0.02)


AT_EXIT = """
import atexit, pathlib, sys
threads = pathlib.Path("/proc/self/task")
atexit.register(lambda: print([path.read_text() for path in threads.glob("*/comm")], file=sys.stderr))
from elman.cli import main
main()
"""
"""Trains, and says last of all which threads there are still."""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells the names of threads")
def test_no_thread_of_the_group_outlives_it(folder):
    """One that did would now and then let go of a tensor while the interpreter ends, and abort the process."""
    codes, said = finish(start(folder, 2, *WRITE, "--steps", "2", "--out", "threads", run=("-c", AT_EXIT)))
    assert codes == [0, 0], said
    threads = {name.strip() for name in ast.literal_eval(said[0][1])} - {"pt_autograd_0"}  # Debian's: one alone has it
    assert threads
    assert [name for name in threads if name.startswith(("pt_", "gloo"))] == []


def test_one_process_goes_on_where_two_stopped(folder):
    train(folder, 2, *WRITE, *PLAIN, "--steps", "20", "--out", "two")
    train(folder, 1, *WRITE, *PLAIN, "--steps", "30", "--out", "two", "--resume")
    train(folder, 1, *WRITE, *PLAIN, "--steps", "20", "--out", "one")
    train(folder, 1, *WRITE, *PLAIN, "--steps", "30", "--out", "one", "--resume")
    assert losses(folder / "one") == pytest.approx(losses(folder / "two"), rel=1e-5)
    train(folder, 2, *WRITE, *PLAIN, "--steps", "40", "--out", "two", "--resume")
    train(folder, 1, *WRITE, *PLAIN, "--steps", "40", "--out", "one", "--resume")
    assert losses(folder / "one") == pytest.approx(losses(folder / "two"), rel=1e-5)
    assert len(losses(folder / "two")) == 4


def test_what_is_wrong_is_said_once(folder):
    codes, said = finish(start(folder, 2, *WRITE, "--lanes", "1", "--steps", "3", "--out", "a"))
    assert codes == [2, 2]
    assert [err for _, err in said] == [
        "elman: 2 processes cannot share batches of 1 rows; start fewer, or make the batches larger\n",
        "",
    ]
    codes, said = finish(start(folder, 2, "train", "language-modeling", "missing.txt"))
    assert codes == [1, 1]
    assert said[0][1].startswith("elman: cannot read missing.txt")
    assert said[1][1] == ""


def test_when_one_dies_the_others_end(folder):
    begun = start(folder, 2, *WRITE, "--minutes", "5", "--out", "dead")
    wait_for_losses(begun, folder / "dead", 1)
    begun[1].send_signal(signal.SIGKILL)
    codes, said = finish(begun)
    assert codes == [1, -signal.SIGKILL], said
    assert "another one of the 2 processes that train together has ended" in said[0][1]
