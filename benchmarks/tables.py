"""Put the measured tables into README.md and docs/benchmarks*.md, from what `elman bench NAME --save` has kept.

    python benchmarks/tables.py

There is a folder of results for each machine. Between the comments `<!-- bench FOLDER/NAME -->` and `<!-- end -->`
stand all rows, below their means; between `<!-- summary FOLDER FOLDER -->` and `<!-- end -->` the means that tell most,
a column for each machine.
"""

import json
import re
from pathlib import Path
from typing import NamedTuple

from elman.benchmarks import suite

HERE = Path(__file__).parent
ROOT, RESULTS = HERE.parent, HERE / "results"
MACHINES = {"xeon": "Intel Xeon", "zen4": "AMD EPYC, Zen 4", "zen5": "AMD EPYC, Zen 5"}
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("benchmarks*.md"))]


class Said(NamedTuple):
    """A line of the summary: its words, and where its ratio stands among the means of a benchmark."""

    what: str
    beside: str
    benchmark: str
    kind: dict
    theirs: str
    ours: str = "elman"


def of_layers(what, cell, way, beside="torch.nn", theirs="torch"):
    return Said(what, beside, "layers", {"cell": cell, "pass": way, "group": "usual"}, theirs)


LSTM = {"cell": "lstm", "group": "usual"}
SUMMARY = (
    of_layers("training step of LSTM", "lstm", "training"),
    of_layers("training step of GRU", "gru", "training"),
    of_layers("training step of tanh RNN", "rnn", "training"),
    of_layers("forward, LSTM", "lstm", "forward"),
    of_layers("forward, GRU", "gru", "forward"),
    of_layers("forward, tanh RNN", "rnn", "forward"),
    of_layers("forward, LSTM", "lstm", "forward", "ONNX Runtime's operator", "onnxruntime"),
    Said(
        "training step of LSTM, rows of unequal length",
        "torch.nn with a PackedSequence",
        "lengths",
        {**LSTM, "directions": 1},
        "torch",
    ),
    Said(
        "training step of LSTM in bfloat16",
        "torch.nn under autocast",
        "bfloat16",
        {**LSTM, "pass": "training"},
        "torch bfloat16",
    ),
    Said("training step of all cells and options", "a loop over time in torch", "cells", {"group": "usual"}, "loop"),
    Said("training step of LSTM in a loop over the cell", "torch.nn's cell", "loop", LSTM, "torch"),
    Said("one step of LSTM, one thread", "torch.nn's cell", "step", {**LSTM, "threads": 1}, "torch", "elman stepper"),
    Said("`linear_scan`", "the closed form in torch", "scan", {"what": "linear_scan"}, "peer"),
    Said("`selective_scan`", "a loop over time in torch", "scan", {"what": "selective_scan"}, "peer"),
)


def rows(name, result):
    *tables, summary = suite.tables(result)
    shown = [f"{heading(summary, name, result)}\n\n{markdown(summary.rows)}"]
    return "\n\n".join([*shown, *(f"{table.title}:\n\n{markdown(table.rows)}" for table in tables)]) + "\n"


def summary(folders):
    """The means of some benchmarks as they lie in some folders."""
    header = ["", "beside", *(MACHINES.get(folder.name, folder.name) for folder in folders)]
    lines = [[said.what, said.beside, *(_mean(folder, said) for folder in folders)] for said in SUMMARY]
    return markdown([header, *lines]) + "\n"


def rendered(text, results):
    """The text with every table made anew from the results in a folder."""
    text = re.sub(
        r"(<!-- bench (\w+/(\w+)) -->\n).*?(?=<!-- end -->)",
        lambda found: found[1] + from_file(found[3], results / f"{found[2]}.json"),
        text,
        flags=re.DOTALL,
    )
    return re.sub(
        r"(<!-- summary ([\w ]+) -->\n).*?(?=<!-- end -->)",
        lambda found: found[1] + summary([results / name for name in found[2].split()]),
        text,
        flags=re.DOTALL,
    )


def from_file(name, path):
    if not path.exists():
        return f"Not measured yet: `elman bench {name}`.\n"
    return rows(name, json.loads(path.read_text()))


def heading(table, name, result):
    return f"{table.title}; {suite.headline(result)}; `elman bench {name}`:"


def markdown(table):
    header, *lines = [f"| {' | '.join(row)} |" for row in table]
    return "\n".join([header, "|" + "---|" * len(table[0]), *lines])


def _mean(folder, said):
    """The mean and the least; a dash where it was not measured."""
    path = folder / f"{said.benchmark}.json"
    means = json.loads(path.read_text())["means"] if path.exists() else []
    found = [row["ratios"][said.ours][said.theirs] for row in means if said.kind.items() <= row.items()]
    return f"{found[0]['mean']:.2f}x ({found[0]['min']:.2f})" if found else "-"


if __name__ == "__main__":
    for path in PAGES:
        path.write_text(rendered(path.read_text(), RESULTS))
