"""Run an experiment and keep what came of it; write the page of all claims from what was kept."""

import dataclasses
import datetime as dt
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from elman import files, machine
from elman.errors import DataError, UsageError
from elman.experiments import EXPERIMENTS, find
from elman.randomness import seeded
from elman.version import VERSION

Result = dict[str, Any]


def run(name: str, seeds: int | None, tell: Callable[[str], None]) -> Result:
    """Measure, and describe it all for JSON."""
    experiment = find(name)
    if seeds is not None and seeds < 1:
        raise UsageError(f"--seeds {seeds} is out of range; give at least 1")
    used = list(range(seeds or experiment.usual_seeds))
    begun = time.perf_counter()
    with seeded(0):
        outcome = experiment.run(used, tell)
    return {
        "experiment": name,
        "claim": experiment.claim,
        "expected": experiment.expected,
        "method": experiment.method,
        **dataclasses.asdict(outcome),
        "seconds": round(time.perf_counter() - begun, 1),
        "elman": VERSION,
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "machine": machine.facts(),
    }


def keep(result: Result, folder: Path) -> Path:
    """Write a result into a folder, under its experiment's name."""
    return files.write_json(files.make_folder(folder) / f"{result['experiment']}.json", result)


def write_claims(folder: Path, page: Path) -> Path:
    """Write the page of claims, in Markdown, from the results that a folder holds."""
    found = [
        json.loads(path.read_text(encoding="utf-8"))
        for name in EXPERIMENTS
        if (path := folder / f"{name}.json").exists()
    ]
    if not found:
        raise DataError(f"{folder} holds no results; make them with: elman experiments NAME --save {folder}")
    parts = [HEAD, _summary(found), *(_section(result) for result in found)]
    return files.write_text(page, "\n\n".join(parts) + "\n")


HEAD = """\
# What textbooks claim, measured

Made by `elman experiments --claims` from the results in `benchmarks/results/claims/`; do not edit it. Every row can be
made again on your machine: `elman experiments NAME`. Intervals are 95 % intervals of the mean over seeds."""


def _summary(found: list[Result]) -> str:
    rows = [{"claim": f"[{r['claim']}](#{r['experiment']})", "verdict": r["verdict"]} for r in found]
    return markdown(rows)


def _section(result: Result) -> str:
    seeds = len(result["seeds"])
    where = f"{result['machine'].get('cpu', 'unknown')}, {result['machine'].get('cores', '?')} cores"
    command = f"elman experiments {result['experiment']} --seeds {seeds}"
    made = f"{seeds} seed{'s' * (seeds != 1)}, {result['seconds']:.0f} s on {where}, {result['date']}; `{command}`."
    return "\n\n".join(
        [
            f"## {result['experiment']}",
            f"**Claim.** {result['claim']}",
            f"**Expected.** {result['expected']}",
            f"**Measured.** {result['measured']}",
            f"**Verdict: {result['verdict']}.** {result['reason']}",
            markdown(result["rows"]),
            f"{result['method']} {made}",
        ]
    )


def markdown(rows: list[dict[str, Any]]) -> str:
    """A table in Markdown."""
    lines = [list(rows[0]), ["---"] * len(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
