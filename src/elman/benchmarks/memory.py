"""`memory`: the peak of memory in training steps, each contender in a process of its own, answers compared here.

Two figures: the process's peak, with the interpreter and torch in it, and what that is above the process just before
the steps. Both are of the process alone (Linux: VmHWM), not of this one, which started it.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from elman.benchmarks import tables
from elman.benchmarks.answers import deviation
from elman.benchmarks.base import Benchmark, Row, Settings, Shape, Table
from elman.benchmarks.means import by_kind, mean_and
from elman.benchmarks.problem import Problem
from elman.errors import ElmanError

CONTENDERS = ("elman", "torch")
FIGURES = {"peak_mib": "peak", "above_mib": "above"}
"""By their keys in a row: what they are called in a table."""


class Memory(Benchmark):
    shapes = {"usual": (Shape(64, 200, 256, 512),)}
    peers = ("torch",)
    rounds = 3

    def rows(self, settings: Settings) -> Iterator[Row]:
        for cell in settings.cells:
            for group, shape in self.grouped_shapes(settings):
                yield {"cell": cell, "group": group, "shape": shape._asdict(), **_row(cell, shape, settings)}

    def means(self, rows: list[Row]) -> list[Row]:
        return [
            described | {"shares": {name: mean_and(max, [row["shares"][name] for row in found]) for name in FIGURES}}
            for described, found in by_kind(rows, ("cell", "group"))
        ]

    def tables(self, rows: list[Row]) -> list[Table]:
        columns = [tables.key("cell"), tables.SHAPE, tables.BACKEND]
        for name, header in FIGURES.items():
            columns += [_mib(who, name, f"{who} {header} MiB") for who in CONTENDERS]
            columns.append(_share(name, header))
        title = (
            "Peaks of the process and above it just before the training steps, medians, and Elman's share of torch's"
        )
        return [tables.table(title, rows, [*columns, tables.DEVIATION])]

    def means_table(self, means: list[Row]) -> Table:
        facts = [tables.key("cell"), *tables.GROUP]
        shares = [_share(name, header) for name, header in FIGURES.items()]
        return tables.table("Geometric means of Elman's share of torch's memory (the most)", means, [*facts, *shares])


def _mib(who: str, name: str, header: str) -> tables.Column:
    return header, lambda row: f"{row['memory'][who][name]:.0f}"


def _share(name: str, header: str) -> tables.Column:
    def text(row: Row) -> str:
        found = row["shares"][name]
        if isinstance(found, dict):
            return f"{tables.percent(found['mean'])} ({tables.percent(found['max'])})"
        return tables.percent(found)

    return header, text


def _row(cell: str, shape: Shape, settings: Settings) -> Row:
    found: dict[str, list[Row]] = {who: [] for who in CONTENDERS}
    answers: dict[str, dict[str, Tensor]] = {}
    spent, done = 0.0, 0
    with tempfile.TemporaryDirectory() as folder:
        problem = Problem.make(cell, shape)
        save_file({"x": problem.x, **problem.weights}, Path(folder) / "problem.safetensors")
        while settings.budget.allows(done, spent):
            for who in CONTENDERS:
                measured, answers[who] = _in_a_fresh_process(who, problem, Path(folder))
                found[who].append(measured)
                spent += measured["seconds"]
            done += 1
    off = deviation(answers["elman"], answers["torch"], than="torch.nn", who="elman", case=f"{cell} {shape} training")
    memory = {
        who: {name: median(each[name] for each in runs) for name in (*FIGURES, "before_mib")}
        for who, runs in found.items()
    }
    return {
        "backend": found["elman"][0]["backend"],
        "memory": memory,
        "shares": {name: memory["elman"][name] / memory["torch"][name] for name in FIGURES},
        "rounds": done,
        "deviations": {"elman": off},
    }


def _in_a_fresh_process(who: str, problem: Problem, folder: Path) -> tuple[Row, dict[str, Tensor]]:
    line = [sys.executable, "-m", "elman.benchmarks.memory_process", who, problem.cell, str(problem.shape)]
    line += [str(torch.get_num_threads()), str(folder)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)  # noqa: S603  (our own module)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise ElmanError(f"the process that measures {who} at {problem.cell} {problem.shape} failed: {last}")
    measured: Row = json.loads(done.stdout)
    answers = load_file(folder / "answers.safetensors")
    return measured, {name: tensor.clone() for name, tensor in answers.items()}  # the next process writes the file anew
