"""Put the measured tables into README.md and docs/benchmarks*.md, from what `elman bench NAME --save` has kept.

    python benchmarks/tables.py

A table stands between the comments `<!-- bench FOLDER/NAME -->` and `<!-- end -->`: in the README means, in a page all
rows. There is a folder for each machine.
"""

import json
import re
from pathlib import Path

from elman.benchmarks import suite

HERE = Path(__file__).parent
ROOT, RESULTS = HERE.parent, HERE / "results"


def means(name, result):
    *_, table = suite.tables(result)
    return f"{heading(table, name, result)}\n\n{markdown(table)}\n"


def rows(name, result):
    *tables, summary = suite.tables(result)
    shown = [f"{heading(summary, name, result)}\n\n{markdown(summary)}"]
    return "\n\n".join([*shown, *(f"{table.title}:\n\n{markdown(table)}" for table in tables)]) + "\n"


PAGES = {ROOT / "README.md": means, **dict.fromkeys((ROOT / "docs").glob("benchmarks*.md"), rows)}


def rendered(text, results, section):
    """The text with every table made anew, by `section`, from the results in a folder."""
    return re.sub(
        r"(<!-- bench (\w+/(\w+)) -->\n).*?(?=<!-- end -->)",
        lambda found: found[1] + from_file(found[3], results / f"{found[2]}.json", section),
        text,
        flags=re.DOTALL,
    )


def from_file(name, path, section):
    if not path.exists():
        return f"Not measured yet: `elman bench {name}`.\n"
    return section(name, json.loads(path.read_text()))


def heading(table, name, result):
    return f"{table.title}; {suite.headline(result)}; `elman bench {name}`:"


def markdown(table):
    header, *lines = [f"| {' | '.join(row)} |" for row in table.rows]
    return "\n".join([header, "|" + "---|" * len(table.rows[0]), *lines])


if __name__ == "__main__":
    for path, section in PAGES.items():
        path.write_text(rendered(path.read_text(), RESULTS, section))
