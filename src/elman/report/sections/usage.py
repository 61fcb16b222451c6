"""How to go on with the run: commands and lines of Python that can be copied."""

import shlex
from typing import Any

from elman.report.record import Record

PYTHON = """import elman

run = elman.load({run!r})
print(run.evaluate())"""
WRITE = """
print("".join(run.generate("...", length=500, temperature=0.8)))"""


def view(record: Record) -> dict[str, Any] | None:
    """The commands as (what it does, line), and the Python lines; None for a run without a task."""
    task = record.get("task")
    if not isinstance(task, str):
        return None
    run = shlex.quote(str(record.folder))
    commands = [
        ("Score it, on its own held-out part or on another file", f"elman evaluate {run} [FILE]"),
        ("Apply it to a file", f"elman predict {run} FILE"),
        ("See how it learns, and what keeps it from learning", f"elman diagnose {run}"),
    ]
    learn_on = f"elman train {shlex.quote(task)} FILE --pretrained {run}"
    commands.append(("Let it learn on from other data, in a new run", learn_on))
    python = PYTHON.format(run=str(record.folder))
    if task == "language-modeling":
        commands.append(("Let it write", f"elman generate {run} --prompt TEXT --length 500 --temperature 0.8"))
        python += WRITE
    if task == "event-modeling":
        commands.append(
            ("Let it go on from nothing, or from sets", f"elman generate {run} --prompt '[[...]]' --length 50")
        )
    place = len(commands) if record.get("status") == "finished" else 0
    commands.insert(place, ("Go on training where it stopped", _resume(record, task, run)))
    return {"commands": commands, "python": python, "relative": not record.folder.is_absolute()}


def _resume(record: Record, task: str, run: str) -> str:
    """The command that continues the run on its own files; a finished one with twice its budget."""
    files = {split: str(record.get("data", split, "path") or "") for split in ("train", "valid", "test")}
    words = ["elman train", shlex.quote(task), shlex.quote(files["train"] or "DATA")]
    words += [f"--{s} {shlex.quote(files[s])}" for s in ("valid", "test") if files[s] not in ("", files["train"])]
    words += ["--out", run, "--resume"]
    if record.get("status") == "finished":
        budgets = [(name, record.number("options", name)) for name in ("minutes", "steps", "epochs")]
        words += [f"--{name} {2 * amount:.10g}" for name, amount in budgets if amount][:1]
    return " ".join(words)
