"""Put the measured tables into README.md, from what `elman bench NAME --save benchmarks/results` has kept.

    python benchmarks/readme.py

A table stands between the comments `<!-- bench NAME -->` and `<!-- end -->`.
"""

import json
import re
from pathlib import Path

from elman.benchmarks import suite

HERE = Path(__file__).parent
README, RESULTS = HERE.parent / "README.md", HERE / "results"


def rendered(text, results):
    """The text with every table made anew from the results in a folder."""
    return re.sub(
        r"(<!-- bench (\w+) -->\n).*?(?=<!-- end -->)",
        lambda found: found[1] + section(found[2], results / f"{found[2]}.json"),
        text,
        flags=re.DOTALL,
    )


def section(name, path):
    if not path.exists():
        return f"Not measured yet: `elman bench {name}`.\n"
    result = json.loads(path.read_text())
    *tables, means = suite.tables(result)
    rows = [f"<details><summary>{table.title}</summary>\n\n{markdown(table)}\n\n</details>" for table in tables]
    title = f"{means.title}; {suite.headline(result)}; `elman bench {name}`:"
    return "\n\n".join([title, markdown(means), *rows]) + "\n"


def markdown(table):
    header, *rows = [f"| {' | '.join(row)} |" for row in table.rows]
    return "\n".join([header, "|" + "---|" * len(table.rows[0]), *rows])


if __name__ == "__main__":
    README.write_text(rendered(README.read_text(), RESULTS))
