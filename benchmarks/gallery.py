"""A training step of every cell of docs/gallery.md, beside a loop over the same step: `python benchmarks/gallery.py`.

Forward and backward over (B, T, I, H) = (32, 100, 128, 256) in float32, the input multiplied for all steps at once in
both. Answers and gradients are compared before anything is timed, and the two are timed in turn, 9 rounds or those of
`--rounds`. Writes the table of the page, and prints one JSON line; `--cell NAME` measures some and writes nothing.
"""

import argparse
import inspect
import json
import re
from pathlib import Path

import torch

import elman
from elman import machine
from elman.benchmarks import modules
from elman.benchmarks.base import Work
from elman.benchmarks.race import Race
from elman.benchmarks.timing import Budget

PAGE = Path(__file__).parent.parent / "docs" / "gallery.md"
BATCH, STEPS, INPUT, HIDDEN = 32, 100, 128, 256
HEAD = "| cell | Elman | loop | loop / Elman |\n|---|---|---|---|\n"
TABLE = re.compile(r"(?<=<!-- table -->\n).*?(?=<!-- end -->)", re.DOTALL)


def cells():
    """The classes of the page, in its order."""
    found = {"__name__": "gallery"}
    exec("\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)), found)
    return [each for each in found.values() if inspect.isclass(each) and issubclass(each, elman.Cell)]


def work(layer, x, backend):
    plain = modules.training(layer, lambda x: layer(x)[0], x)

    def run():
        with elman.backend(backend):
            return plain.run()

    return Work(run, plain.read)


def measured(cell, rounds):
    torch.manual_seed(0)
    layer, x = elman.Recurrent(cell, INPUT, HIDDEN), torch.randn(STEPS, BATCH, INPUT)
    x[..., 0] = 0.1 + torch.rand(STEPS, BATCH)  # a time, where the cell has one
    ways = {"elman": work(layer, x, "native")}, {"loop": work(layer, x, "reference")}
    row = Race(cell.__name__, *ways).run(Budget(rounds=rounds))
    times = {name: row["times"][name]["median_ms"] for name in ("elman", "loop")}
    return {"cell": cell.__name__, **times, "ratio": row["ratios"]["elman"]["loop"], "off": row["deviations"]["elman"]}


def said(row):
    return f"| {row['cell']} | {row['elman']:.1f} | {row['loop']:.1f} | {row['ratio']:.2f}x |\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--cell", action="append")
    asked = parser.parse_args()
    rows = []
    for cell in cells():
        if not asked.cell or cell.__name__ in asked.cell:
            rows.append(measured(cell, asked.rounds))
            print(said(rows[-1]), end="", flush=True)
    facts = machine.facts()
    if not asked.cell:
        where = f"{facts['cpu']}, {facts['threads']} threads, torch {facts['torch']}"
        head = f"{where}; milliseconds, medians of {asked.rounds} rounds:\n\n{HEAD}"
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(TABLE.sub(head + "".join(map(said, rows)), page), encoding="utf-8")
    print(json.dumps({"machine": facts, "rows": rows}))


if __name__ == "__main__":
    main()
