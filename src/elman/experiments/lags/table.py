"""Every cell on every problem over every length: rows that are kept one by one, so that a run can go on where it ended.

It does not know how the table is shown.
"""

import datetime as dt
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from elman import files, machine
from elman.cells import CELLS
from elman.errors import DataError
from elman.experiments.lags import network as networks
from elman.experiments.lags.problem import PROBLEMS
from elman.experiments.lags.training import Budget, train
from elman.randomness import seeded
from elman.version import VERSION

Row = dict[str, Any]

BUDGETS = {200: Budget(2000, 30), 1000: Budget(1000, 60), 5000: Budget(500, 150)}
"""By length. The updates are what ends a row on two ordinary cores; the seconds are for slower machines."""


class Case(NamedTuple):
    """What one row is about."""

    length: int
    problem: str
    cell: str
    seed: int


def cases(
    lengths: Sequence[int] = tuple(BUDGETS),
    problems: Sequence[str] = tuple(PROBLEMS),
    cells: Sequence[str] = tuple(CELLS),
    seeds: int = 1,
) -> Iterator[Case]:
    """All cases, the short ones first."""
    for length in lengths:
        for problem in problems:
            for cell in cells:
                yield from (Case(length, problem, cell, seed) for seed in range(seeds))


def fill(path: Path, wanted: Iterable[Case], tell: Callable[[Row], None], *, again: bool = False) -> None:
    """Measure the cases that a file does not hold yet, or all of them again.

    Args:
        path: the file, JSON; written anew after every row.
        wanted: the cases.
        tell: is told each row as it is done.
        again: whether rows that are there are replaced.
    """
    rows = {case_of(row): row for row in load(path)}
    files.make_folder(path.parent)
    for case in wanted:
        if case in rows and not again:
            continue
        rows[case] = measured(case, BUDGETS[case.length])
        save(path, rows.values())
        tell(rows[case])


def case_of(row: Row) -> Case:
    """Which case a row is of."""
    return Case(*(row[name] for name in Case._fields))


def load(path: Path) -> list[Row]:
    """The rows of a file; none if there is no such file."""
    if not path.exists():
        return []
    try:
        rows: list[Row] = json.loads(path.read_text(encoding="utf-8"))["rows"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} holds no table of lags; move it away, or name another file") from error
    return rows


def save(path: Path, rows: Iterable[Row]) -> None:
    """Keep rows, in the order of their cases."""
    problems, cells = list(PROBLEMS), list(CELLS)

    def place(row: Row) -> tuple[int, int, int, int]:
        case = case_of(row)
        return case.length, problems.index(case.problem), cells.index(case.cell), case.seed

    files.write_json(path, {"measurement": "lags", "rows": sorted(rows, key=place)})


def measured(case: Case, budget: Budget) -> Row:
    """Train one network, and describe it all for JSON."""
    cell, problem = CELLS[case.cell], PROBLEMS[case.problem]
    hidden = networks.hidden_size(cell, problem)
    with seeded(case.seed):
        network = networks.network(case.cell, problem, case.length)
        found = train(network, problem, case.length, budget, rate=networks.rate_of(cell), seed=case.seed)
    return case._asdict() | {
        "start": networks.start_of(cell, case.length),
        "rate": networks.rate_of(cell),
        "hidden": hidden,
        "parameters": networks.parameter_count(cell, problem, hidden),
        "ms_per_update": round(found.ms_per_update, 2),
        "updates": found.updates,
        "end": found.end,
        "score": None if found.score is None else round(found.score, 5),
        "seconds": round(found.seconds, 2),
        "elman": VERSION,
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "where": _where(),
    }


def _where() -> str:
    facts = machine.facts()
    return f"{facts['cpu']}, {facts['cores']} cores, {facts['threads']} threads, torch {facts['torch']}"
