"""What commands print: JSON for programs, aligned lines for people, always on stdout."""

import json
import sys
import textwrap
from collections.abc import Iterable, Mapping
from itertools import zip_longest
from typing import Any

from elman.names import Entry

COUNTS = ("symbols", "unknown", "series")
"""The entries of a score that say how much was scored."""

LONGEST_NAME = 42
"""Columns of a terminal for what was scored; a longer name goes on below, so that the figures stay in sight."""

FEW = 12
"""Numbers of a series that are printed all before its answer; of a longer one the first three."""


def print_json(value: Any) -> None:
    """Print one JSON object and nothing else."""
    sys.stdout.write(_json(value) + "\n")


def print_json_rows(blocks: Iterable[list[dict[str, Any]]]) -> int:
    """Print one JSON object whose `rows` are those of all blocks, once all are there; return how many.

    A row that cannot be answered leaves nothing printed, and not half an object.
    """
    said = [_json(row) for rows in blocks for row in rows]
    sys.stdout.write(f'{{"rows": [{", ".join(said)}]}}\n')
    return len(said)


def print_rows(rows: Iterable[tuple[str, ...]], least: Iterable[int] = ()) -> list[int]:
    """Print rows with their columns aligned, each at least so wide; return how wide they are."""
    rows = list(rows)
    found = [max(len(row[k]) for row in rows) for k in range(len(rows[0]) - 1)] if rows else []
    widths = [max(pair) for pair in zip_longest(found, least, fillvalue=0)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        print("  ".join([*cells, row[-1]]).rstrip())
    return widths


def print_entries(plural: str, registry: Mapping[str, Entry], hint: str, *, json: bool) -> None:
    """Print what there is by name, each with what it is for; for people with a hint below, for programs by `plural`."""
    if json:
        print_json({plural: {name: {"summary": entry.summary} for name, entry in registry.items()}})
        return
    print_rows([(name, entry.summary) for name, entry in registry.items()])
    print(f"\n{hint}")


def print_scores(data: str, score: dict[str, Any], baselines: list[dict[str, Any]]) -> None:
    """Print a score beside its baselines, the loser too."""
    from elman.report.measures import MEASURES, Measure

    unit = score["unit"]
    unknown = f", {score['unknown']:,} of them unknown" if score.get("unknown") else ""
    series = f" of {score['series']:,} series" if score.get("series") else ""
    print(f"{data}: {score['symbols']:,} {unit}{'s' * (score['symbols'] != 1)}{series}{unknown}")
    own = [key for key, value in score.items() if isinstance(value, int | float) and key not in {*MEASURES, *COUNTS}]
    shown = [*sorted((key for key in MEASURES if key in score), key=lambda key: key != score.get("headline")), *own]
    measures = [MEASURES.get(key, Measure(key.replace("_", " "))) for key in shown]
    rows = [("", *((m.heading or m.unit or m.name).format(unit=unit) for m in measures))]
    for name, figures in (("this network", score), *((entry["name"], entry) for entry in baselines)):
        first, *more = textwrap.wrap(name, LONGEST_NAME, subsequent_indent="  ") or [""]
        rows.append((first, *(figure(figures.get(key)) for key in shown)))
        rows += [(line, *("" for _ in shown)) for line in more]
    print_rows(rows)
    if "signature" in score:
        print(score["signature"])
    for note in [entry["note"] for entry in baselines if "note" in entry]:
        print(note)


def figure(value: float | None) -> str:
    """A score in print."""
    if value is None:
        return "-"
    return f"{value:.4g}" if abs(value) >= 100 else f"{value:.2g}" if 0 < abs(value) < 0.0005 else f"{value:.3f}"


def print_table(blocks: Iterable[list[dict[str, Any]]]) -> int:
    """Print the rows of all blocks under their columns' names, for people, each block once it is there.

    Lists that only tell more of another column are left out. Rows that begin with a list of sentences, or of lines that
    others go with, are printed sentence by sentence. Columns are as wide as all rows need that were printed before.

    Returns:
        How many rows there are.
    """
    count, told, names, widths = 0, dict[str, Any](), list[str](), list[int]()
    for rows in filter(None, blocks):
        if not told:
            told = next((row for row in rows if None not in row.values()), rows[0])
            names = [name for name, value in told.items() if not (isinstance(value, list) and _details(name, told))]
        if _sentences(told):
            for number, row in enumerate(rows, count):
                print("\n" * (number > 0), end="")
                _print_sentences(row)
        else:
            cells = [(_read(row[names[0]]), *(_cell(row[name]) for name in names[1:])) for row in rows]
            widths = print_rows([*[tuple(names)] * (count == 0), *cells], widths)
        sys.stdout.flush()
        count += len(rows)
    return count


def print_as_they_come(rows: Iterable[dict[str, Any]], *, json: bool) -> None:
    """Print each row once it is there: a JSON object, or its cells at fixed places below the columns' names."""
    for number, row in enumerate(rows):
        if json:
            print_json(row)
        else:
            if number == 0:
                print("  ".join(row))
            *cells, last = [(_cell(value), len(name)) for name, value in row.items()]
            print("  ".join([*(text.rjust(width) for text, width in cells), last[0]]))
        sys.stdout.flush()


def _json(value: Any) -> str:
    unicode = (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    return json.dumps(value, ensure_ascii=not unicode, allow_nan=False)


def _print_sentences(row: dict[str, Any]) -> None:
    """Print what is said of the whole row, and below it what is said of each sentence, before the sentence."""
    first, *names = row
    names = [name for name in names if not _details(name, {other: row[other] for other in names})]
    whole = [name for name in names if not isinstance(row[name], list)]
    sure = [f" ({_cell(row[f'{name}_probability'])})" if f"{name}_probability" in row else "" for name in whole]
    if whole:
        print("  ".join(f"{name}: {_cell(row[name])}{each}" for name, each in zip(whole, sure, strict=True)))
    beside = [[_cell(value) for value in row[name]] for name in names if isinstance(row[name], list)]
    print_rows(("", *cells) for cells in zip(*beside, _lines(row[first]), strict=True))


def _sentences(row: dict[str, Any]) -> bool:
    """Whether the first column of a row holds sentences, or lines that others go with."""
    first, *others = row.values()
    lines = _lines(first)
    if not all(isinstance(line, str) for line in lines) or not any(" " in line for line in lines):
        return False
    beside = any(isinstance(other, list) and len(other) == len(lines) for other in others)
    return isinstance(first, list) or (len(lines) > 1 and beside)


def _lines(first: Any) -> list[Any]:
    """The lines of a text, or what a list holds; nothing where it is neither."""
    lines = [line for line in first.splitlines() if line.strip()] if isinstance(first, str) else first
    return [line.strip() if isinstance(line, str) else line for line in lines] if isinstance(lines, list) else []


def _details(name: str, row: dict[str, Any]) -> bool:
    """Whether a column tells more of another one, as fr_symbols does of fr."""
    return any(name.startswith(f"{other}_") for other in row)


def _read(value: Any) -> str:
    """The cell of what was read: of a series its first numbers, and how many steps it has."""
    steps = value if isinstance(value, list) else []
    numbers = [number for step in steps for number in (step if isinstance(step, list) else [step])]
    if len(numbers) <= FEW or not all(isinstance(number, int | float) for number in numbers):
        return _cell(value)
    return f"{_cell(numbers[:3])} ... ({len(steps):,} steps)"


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(_cell(item) for item in value)
    if isinstance(value, float):
        return f"{value:.3g}" if 0 < abs(value) < 0.00005 else f"{value:.4f}"
    return "" if value is None else " ".join(str(value).splitlines())


def note(text: str) -> None:
    """Say something on stderr that is not the result."""
    print(text, file=sys.stderr, flush=True)
