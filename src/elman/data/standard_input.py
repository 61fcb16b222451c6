"""Standard input as a table: JSON lines, or a text in each line.

It does not know what a column is for.
"""

import json
from itertools import islice
from typing import Any

import polars as pl

from elman.data import flaws, tables, text
from elman.data.tables import Table
from elman.errors import DataError

SOURCE = "standard input"
BLOCK = 10_000
"""JSON lines that are objects at a time: as columns they take a tenth of the memory."""


def read(column: str) -> Table:
    """Read JSON lines from standard input; lists, and lines that are no JSON, lie in the column of that name."""
    lines = [line for line in text.lines(None) if line.strip()]
    if not lines:
        raise DataError(f"{SOURCE} is empty; there is nothing to read")
    if lines[0].lstrip().startswith("{"):
        return _from_objects(lines)
    if lists := _lists(lines):
        return tables.from_rows([{column: each} for each in lists], SOURCE)
    _check_texts(lines, column)
    return Table(SOURCE, pl.DataFrame({column: lines}))


def _check_texts(lines: list[str], column: str) -> None:
    """Raise DataError where the lines are a csv's or a tsv's, of which the first names the column among others."""
    for between in "\t;,":
        header, first = ([part.strip('"') for part in line.rstrip().split(between)] for line in (lines * 2)[:2])
        if column in header and 1 < len(header) <= len(first) and len(lines) > 1:
            raise DataError(
                f"{SOURCE} begins with a table's header, {lines[0].rstrip()!r}, and here each line is a text; name the "
                "table's file, or send JSON lines"
            )


def _from_objects(lines: list[str]) -> Table:
    objects = flaws.parsed_lines(SOURCE, lines)
    try:
        found = pl.concat(map(tables.frame, iter(lambda: [*islice(objects, BLOCK)], [])), how="diagonal_relaxed")
        whole = len(found) == len(lines)
    except (pl.exceptions.PolarsError, TypeError, OverflowError, UnicodeEncodeError):
        whole = False
    if whole:
        return Table(SOURCE, found)
    return tables.from_rows([*flaws.parsed_lines(SOURCE, lines)], SOURCE)  # all at once say which row it is


def _lists(lines: list[str]) -> list[list[Any]] | None:
    """Lines as the lists that they are in JSON, all of them; None where any is something else."""
    try:
        found = [json.loads(line) for line in lines]
    except (ValueError, RecursionError):  # texts that stand in brackets
        return None
    return found if all(isinstance(value, list) for value in found) else None
