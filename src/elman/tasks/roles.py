"""Which column of a table is read and which are answered: as the user says, or as the table shows.

It does not know what is done with them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from elman.data import tables, videos
from elman.data.tables import Column, Table
from elman.errors import DataError, UsageError
from elman.names import listed

LABELS = ("label", "labels", "class", "category", "target", "intent", "tags", "tag", "y")
"""Names that people give to a column of labels or tags."""
QUESTIONS = (
    "text",
    "texts",
    "sentence",
    "tokens",
    "words",
    "question",
    "review",
    "utterance",
    "series",
    "body",
    "article",
    "document",
    "call",
    "turns",
    "dialogue",
    "conversation",
    "transcript",
    "x",
)
"""Names that people give to the column that is read."""
LOOKED_AT = 10_000


@dataclass(frozen=True)
class Roles:
    """The column that is read and the columns that are answered, by name.

    Attributes:
        notes: how they were found, where they were not all given, and what else the user should know of them.
    """

    input: str
    outputs: tuple[str, ...]
    notes: tuple[str, ...] = ()


def find(
    table: Table,
    given: Sequence[str],
    asked: Sequence[str],
    inputs: Sequence[str],
    outputs: Sequence[str],
    names: Sequence[str],
) -> Roles:
    """Settle the roles.

    Args:
        table: the training table.
        given: what --input says.
        asked: what --output says.
        inputs: the kinds of column that can be read, those that tell most first.
        outputs: the kinds that can be answered, likewise.
        names: what the column that is answered is usually called.

    Raises:
        DataError: there is no such column.
        UsageError: what is given contradicts itself, or is not enough to tell.

    """
    if len(given) > 1:
        raise UsageError(
            f"--input names {len(given)} columns, {', '.join(given)}; this task reads one column, give the one to read"
        )
    if twice := [name for name in asked if name in given or list(asked).count(name) > 1]:
        raise UsageError(f"the column {twice[0]!r} is named twice by --input and --output; name each column once")
    answers = tuple(table.column(name).name for name in asked) or (_answer(table, given, inputs, outputs, names),)
    input = table.column(given[0]).name if given else _question(table, answers, inputs)
    if given and asked:
        return Roles(input, answers)
    names = f"Reading {input!r}, answering {' and '.join(map(repr, answers))}"
    return Roles(input, answers, (f"{names}: found by their content; --input and --output say otherwise.",))


def _answer(
    table: Table, given: Sequence[str], inputs: Sequence[str], outputs: Sequence[str], names: Sequence[str]
) -> str:
    columns = [c for c in table.columns() if c.kind in outputs and not c.measures and c.name not in given]
    for kind in outputs:
        named = [column for column in columns if column.kind == kind and column.name.lower() in names]
        if len(named) == 1:
            return named[0].name
    columns = [column for column in columns if not _empty(column)]
    of_kind = [c for c in table.columns() if any(_is(c, kind) for kind in inputs) and c.name not in given]
    if not given and len(of_kind) == 1:  # the one thing that can be read is not what is answered
        columns = [column for column in columns if column is not of_kind[0] and column.name != of_kind[0].name]
    if len(columns) == 1:
        return columns[0].name
    if len(columns) == 2 and not given:
        fewer, more = sorted((_variety(column), column.name) for column in columns)
        if 2 * fewer[0] <= more[0]:
            return fewer[1]
    if len(table.names) == 1:
        raise DataError(
            f"{table.source} has only the column {table.names[0]!r}, and this task reads one and answers another; give "
            "a table with both, with commas, or in a .tsv tabs, between them"
        )
    what = "which of them is the answer" if columns else "that any of them can be answered"
    there = listed(table.names)
    raise UsageError(f"{table.source} has the columns {there}, and it does not show {what}; say it: --output COLUMN")


def _question(table: Table, answers: Sequence[str], inputs: Sequence[str]) -> str:
    for kind in inputs:
        columns = [column for column in table.columns() if column.name not in answers and _is(column, kind)]
        named = [column for column in columns if column.name.lower() in QUESTIONS]
        if len(columns) == 1 or len(named) == 1:
            return (named or columns)[0].name
        if len(columns) > 1:
            able = listed([column.name for column in columns])
            raise UsageError(f"{table.source} could be read from {able}; say which: --input COLUMN")
    if films := [column for column in table.columns() if column.kind == "films" and "images" in inputs]:
        raise films[0].error(0, f"names a film, which is not read; {videos.CUT}")
    *former, last = map(tables.in_words, inputs)
    able = f"{', '.join(former)} or {last}" if former else last
    raise DataError(
        f"{table.source} has no column to read beside {', '.join(map(repr, answers))}: this task reads {able}; "
        f"it has {table.described}"
    )


def _is(column: Column, kind: str) -> bool:
    """Whether a column can be read as one of this kind: its own, or folders where its texts name some."""
    return not _empty(column) and (column.kind == kind or (kind == videos.FOLDERS and videos.are_folders(column)))


def _empty(column: Column) -> bool:
    return column.values.null_count() == len(column)


def _variety(column: Column) -> int:
    """How many different values the first rows have."""
    return int(column.values.head(LOOKED_AT).n_unique())
