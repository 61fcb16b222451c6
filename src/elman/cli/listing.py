"""`elman runs | tasks | cells | doctor`: what there is, and what this installation can do."""

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from elman.cli import output
from elman.cli.runs import Json
from elman.errors import RunError, UsageError

if TYPE_CHECKING:
    from elman.run.folder import RunFolder


def runs(
    folder: Annotated[
        Path, typer.Argument(help="Where the run folders lie (default: runs).", metavar="FOLDER", show_default=False)
    ] = Path("runs"),
    json: Json = False,
) -> None:
    """List runs, the latest last: what was trained on what, how it ended and how good it is."""
    from elman.run.folder import RunFolder

    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}; `elman train` makes runs in runs, unless --out says otherwise")
    found = []
    for place in map(RunFolder, (folder, *folder.iterdir())):  # one that is a run itself is listed, too
        if _is_run(place):
            try:
                found.append({"run": str(place.path)} | _run(place.read()))
            except RunError as error:
                output.note(f"elman: {error}")
    found.sort(key=lambda run: run["created"])
    if json:
        output.print_json({"runs": found})
    elif found:
        output.print_rows([RUN_HEADINGS, *(_row(run) for run in found)])
    else:
        print(f"{folder} holds no runs.")


def tasks(json: Json = False) -> None:
    """List the tasks."""
    from elman.tasks import TASKS

    output.print_entries("tasks", TASKS, "elman train TASK --help shows a task's options.", json=json)


def cells(json: Json = False) -> None:
    """List the recurrent cells with their equations, parameters and state."""
    from elman.cells import CELLS

    if json:
        output.print_json({"cells": {name: _cell(cell) for name, cell in CELLS.items()}})
        return
    for name, cell in CELLS.items():
        facts = _cell(cell)
        print(f"{name}\n    " + facts["equations"].strip().replace("\n", "\n    "))
        print(f"    {facts['parameters']:,} parameters, {facts['state']:,} numbers of state at I = H = {SHOWN_SIZE}\n")


def doctor(json: Json = False) -> None:
    """Say what this installation can do, and what is missing."""
    from elman import machine
    from elman.engine import BACKENDS
    from elman.version import VERSION

    facts: dict[str, Any] = {"elman": VERSION, **machine.facts()}
    facts["backends"] = {name: backend.means for name, backend in BACKENDS.items()}
    facts["native_engine"] = _native_engine()
    facts["compiler"] = next((found for name in ("g++", "clang++", "c++") if (found := shutil.which(name))), None)
    facts["bfloat16_gain"] = round(_bfloat16_gain(), 1)
    if json:
        output.print_json(facts)
        return
    output.print_rows([(name.replace("_", " "), _said(value)) for name, value in facts.items()])


RUN_HEADINGS = ("run", "task", "trained on", "begun", "", "measure", "score", "best baseline", "of")
SHOWN_SIZE = 128
TO_BUILD = (
    "have Apple's command line tools (xcode-select --install)"
    if sys.platform == "darwin"
    else "have g++ (11 or later) or clang and Python's headers (on Debian and Ubuntu: apt install g++ python3-dev)"
)
WITHOUT_ENGINE = "All runs without it, more slowly. " + (
    "It is not built for Windows yet; under WSL, which is Linux, it is."
    if sys.platform == "win32"
    else f"To build it: {TO_BUILD}, then install Elman again with pip's options --force-reinstall --no-deps "
    "--no-cache-dir --verbose; the last one shows what fails."
)


def _is_run(place: "RunFolder") -> bool:
    try:
        return place.description.is_file()
    except PermissionError:  # in a folder that somebody keeps to himself; since Python 3.14 there is no file then
        return False


def _run(description: dict[str, Any]) -> dict[str, Any]:
    """What is told of a run: the headline of its test part, else of its validation part, beside the best baseline."""
    from elman.report.measures import MEASURES, Measure, headline

    scores = description.get("scores", {})
    part = next((part for part in ("test", "valid") if part in scores), None)
    score = scores.get(part, {})
    key = headline(score) or ""
    better = min if MEASURES.get(key, Measure(key)).lower_is_better else max
    rivals = [each[key] for each in description.get("baselines", {}).get(part, ()) if each.get(key) is not None]
    return {
        "task": description["task"],
        "data": description["data"].get("train", {}).get("path"),
        "created": str(description.get("created", "")),
        "status": description.get("status"),
        "part": part,
        "measure": key or None,
        "score": score.get(key),
        "best_baseline": better(rivals) if rivals else None,
    }


def _row(run: dict[str, Any]) -> tuple[str, ...]:
    data, begun = Path(str(run["data"] or "")).name, run["created"].replace("T", " ")[:16]
    status = "" if run["status"] == "finished" else str(run["status"])
    measure, part = str(run["measure"] or "-").replace("_", " "), str(run["part"] or "")
    figures = [output.figure(run[name]) for name in ("score", "best_baseline")]
    return (run["run"], run["task"], data, begun, status, measure, *figures, part)


def _cell(cell: Any) -> dict[str, Any]:
    return {
        "equations": cell.equations,
        "parameters": cell.parameter_count(SHOWN_SIZE, SHOWN_SIZE),
        "state": sum(cell.state_sizes(SHOWN_SIZE)),
        "gates": list(cell.gates),
        "states": list(cell.states),
    }


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_said(item)}" for key, item in value.items())
    if isinstance(value, bool):  # 1 thread is no yes
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def _native_engine() -> str:
    from elman.engine.extension import missing
    from elman.engine.native import library

    runtime = library()
    if runtime is None:
        return f"{missing}. {WITHOUT_ENGINE}"
    alone = "" if runtime.team_available() else ", in one thread: torch's OpenMP library was not found"
    return f"built, runs with {runtime.instruction_set()}{alone}"


def _bfloat16_gain() -> float:
    import torch

    from elman.training.precision import gain

    return gain(torch.device("cpu"))
