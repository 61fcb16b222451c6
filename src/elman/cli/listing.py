"""`elman tasks | cells | doctor`: what there is, and what this installation can do."""

import shutil
from typing import Any

from elman.cli import output
from elman.cli.runs import Json


def tasks(json: Json = False) -> None:
    """List the tasks."""
    from elman.tasks import TASKS

    if json:
        output.print_json({"tasks": {name: {"summary": entry.summary} for name, entry in TASKS.items()}})
        return
    output.print_rows([(name, entry.summary) for name, entry in TASKS.items()])
    print("\nelman train TASK --help shows a task's options.")


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


SHOWN_SIZE = 128
WITHOUT_ENGINE = (
    "All runs without it, more slowly. To build it: have g++ (11 or later) or clang and Python's headers (on Debian "
    "and Ubuntu: apt install g++ python3-dev), then install Elman again with pip's options --force-reinstall --no-deps "
    "--no-cache-dir --verbose; the last one shows what fails."
)


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
