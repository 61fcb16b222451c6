"""Every cell on the adding problem and on delayed recall over 200, 1000 and 5000 steps, at equal parameters.

    python benchmarks/lags.py [--cell NAME ...] [--problem NAME ...] [--length T ...] [--seeds N] [--again]

About an hour for all. Each row is kept in benchmarks/results/lags.json as it ends; called again, it goes on with those
that are missing. Prints a line per row, writes docs/lags.md from all that is kept, and ends in one JSON line.
"""

import argparse
import json
from pathlib import Path

from elman.cells import CELLS
from elman.experiments.lags import page, table
from elman.experiments.lags.problem import PROBLEMS

ROOT = Path(__file__).parent.parent


def arguments(words=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cell", action="append", choices=CELLS, metavar="NAME", help=", ".join(CELLS))
    parser.add_argument("--problem", action="append", choices=PROBLEMS)
    parser.add_argument("--length", action="append", type=int, choices=table.BUDGETS)
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="seeds 0 to N - 1 (default: 1)")
    parser.add_argument("--again", action="store_true", help="measure rows anew that are kept already")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results" / "lags.json", metavar="FILE")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "lags.md", metavar="FILE")
    return parser.parse_args(words)


def main(words=None):
    asked = arguments(words)
    wanted = table.cases(
        asked.length or tuple(table.BUDGETS), asked.problem or tuple(PROBLEMS), asked.cell or tuple(CELLS), asked.seeds
    )
    try:
        table.fill(asked.results, wanted, lambda row: print(page.said(row), flush=True), again=asked.again)
    finally:
        rows = table.load(asked.results)
        asked.page.write_text(page.page(rows), encoding="utf-8")
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
