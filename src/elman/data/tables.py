"""Tables on disk: csv, tsv, jsonl and parquet by the file's ending, read with errors that name file, row and column.

Rows are counted from 1, without the header. It does not know what a column is for.
"""

import hashlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from elman import files
from elman.data import flaws
from elman.errors import DataError, UsageError

Rows = npt.NDArray[np.int64]


def _write_parquet(frame: pl.DataFrame, path: Path) -> None:
    try:
        frame.write_parquet(path)
    except pl.exceptions.ComputeError as error:  # so polars calls a full disk here; of the other formats, OSError
        raise OSError(str(error).rpartition("IO error: ")[2]) from error


WRITERS: dict[str, Callable[[pl.DataFrame, Path], None]] = {
    ".csv": lambda frame, path: _flat(frame).write_csv(path),
    ".tsv": lambda frame, path: _flat(frame).write_csv(path, separator="\t"),
    ".jsonl": lambda frame, path: frame.write_ndjson(path),
    ".parquet": _write_parquet,
}
FILES = {
    "images": (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"),
    "recordings": (".wav", ".flac", ".ogg", ".mp3"),
}
"""Kinds of files that the texts of a column may name, by how they end."""
LOOKED_AT = 1000
LIST = r"(?i)^\s*\[(?:[\[\]\s\d.,e+-]|nan|null|inf(?:inity)?)*\]\s*$"
DECIMAL_COMMA = r"^\s*([+-]?(\d+,?\d*|,\d+)([eE][+-]?\d+)?)?\s*$"


def _fields(path: Path) -> pl.DataFrame:
    """A csv or tsv as texts, and lists of numbers. Between semicolons whole columns may have decimal commas."""
    separator = flaws.separator(path)
    frame = _without_empty_end(pl.read_csv(path, infer_schema=False, separator=separator))
    frame = frame.with_columns(_lists(path, column) for column in frame)
    if separator != ";":
        return frame
    return frame.with_columns(
        column.str.replace(",", ".", literal=True)
        for column in frame
        if column.dtype == pl.String
        and column.str.contains(DECIMAL_COMMA).all()
        and column.str.contains(",", literal=True).any()
    )


def _without_empty_end(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame up to the last row that holds anything: blank lines and ",,," at the end of a file are no rows."""
    filled = frame.select(pl.any_horizontal(pl.all().is_not_null())).to_series().arg_true()
    return frame.head(int(filled[-1]) + 1 if len(filled) else 0)


def _lists(path: Path, column: pl.Series) -> pl.Series:
    """A column of texts, as lists where each text is one as JSON has it: "[0.5, 1]" or "[[0.5, 1], [2, 3]]"."""
    filled = column.drop_nulls()
    if not len(filled) or not filled.str.contains(LIST).all():
        return column
    nested = filled.str.contains(r"^\s*\[\s*\[").any()
    try:
        found = column.str.json_decode(pl.List(pl.List(pl.Float64)) if nested else pl.List(pl.Float64))
    except pl.exceptions.PolarsError as error:
        raise flaws.of_list(path, column, error) from error
    numbers = found.explode().drop_nulls()
    whole = not nested and bool((numbers == numbers.round()).all()) and bool((numbers.abs() < 2**53).all())
    return found.cast(pl.List(pl.Int64)) if whole else found  # which may be tags


READERS: dict[str, Callable[[Path], pl.DataFrame]] = {
    ".csv": _fields,
    ".tsv": _fields,
    ".jsonl": lambda path: pl.read_ndjson(path, infer_schema_length=None),
    ".parquet": lambda path: pl.read_parquet(path, memory_map=False),
}
ENDINGS = ", ".join(READERS)


@dataclass(frozen=True)
class Column:
    """A column of a table, or some of its rows; it knows where in the file they stand."""

    source: str
    name: str
    values: pl.Series
    rows: Rows
    """The number of each row in the file, from 1."""

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.values)

    @property
    def kind(self) -> str:
        """What it holds: text, number, texts (a list of texts a row), numbers (lists of numbers, or of such lists).

        Texts that name files are of the kind that `FILES` has for their endings, lists of such texts "lists of" it.
        """
        held = kind(self.values.dtype)
        if held == "text":
            return _named(self.values) or held
        named = _named(self.values.head(LOOKED_AT).explode()) if held == "texts" else None
        return f"lists of {named}" if named else held

    @property
    def measures(self) -> bool:
        """Whether it holds lists of numbers that are no names: not whole, or several for each step."""
        return self.kind == "numbers" and not self.values.dtype.inner.is_integer()  # type: ignore[attr-defined]

    def take(self, chosen: npt.NDArray[np.integer[Any]]) -> "Column":
        """Return some of the rows."""
        return Column(self.source, self.name, self.values.gather(pl.Series(chosen)), self.rows[chosen])

    def error(self, index: int, what: str) -> DataError:
        """Return the error that says `what` of the row at `index`."""
        return DataError(f"{self.source}, row {self.rows[index]}, column {self.name!r} {what}")

    def first(self, wrong: pl.Series) -> int | None:
        """Return the index of the first row for which the boolean `wrong` is true."""
        return wrong.arg_max() if wrong.any() else None

    def path(self, name: str) -> Path:
        """Where the file lies that a row names: paths begin beside the table, or at the root."""
        return Path(self.source).parent / Path(name.strip()).expanduser()

    def check_filled(self) -> None:
        """Raise DataError at the first row that has no value."""
        if (index := self.first(self.values.is_null())) is not None:
            raise self.error(index, "is empty; fill it in, or remove the row")


@dataclass(frozen=True)
class Table:
    """A table: its columns by name, and where it came from."""

    source: str
    frame: pl.DataFrame

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.frame)

    @property
    def names(self) -> list[str]:
        """The columns' names."""
        return self.frame.columns

    @cached_property
    def rows(self) -> Rows:
        """The rows' numbers."""
        return np.arange(1, len(self.frame) + 1)

    def column(self, name: str) -> Column:
        """Return a column; DataError lists those there are."""
        if name not in self.frame.columns:
            near = flaws.near(name, self.names)
            raise DataError(
                f"{self.source} has no column {name!r}{near}; it has {', '.join(map(repr, self.names)) or 'none'}"
            )
        return Column(self.source, name, self.frame[name], self.rows)

    def columns(self) -> list[Column]:
        """Return all columns."""
        return [self.column(name) for name in self.names]


def kind(dtype: Any) -> str:
    """Return what a column of this polars type holds, in one word; "mixed values" where it cannot be used."""
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return "text"
    if dtype.is_numeric() or dtype == pl.Boolean:
        return "number"
    if isinstance(dtype, pl.List | pl.Array):
        inner = {"text": "texts", "number": "numbers", "numbers": "numbers"}
        return inner.get(kind(dtype.inner), "mixed values")
    return "mixed values"


def _named(texts: pl.Series) -> str | None:
    """Return the kind of files that most of the first texts name, None where they name none."""
    first = [text.strip().lower() for text in texts.head(LOOKED_AT).drop_nulls().cast(pl.String)]
    return next((name for name, ends in FILES.items() if 2 * sum(t.endswith(ends) for t in first) > len(first)), None)


def read(path: Path) -> Table:
    """Read a table.

    Raises:
        UsageError: the file's ending names no format.
        DataError: the file is missing, empty or damaged; the first bad row is named.

    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise UsageError(f"{path} is no table; its name should end in one of {ENDINGS}")
    if path.is_dir():
        raise DataError(f"cannot read {path}: is a directory")
    if os.fsencode(path) != str(path).encode("utf-8", "replace"):
        raise DataError(f"cannot read {path}: its name is not UTF-8; rename it")
    try:
        if path.stat().st_size == 0:
            raise DataError(f"{path} is empty; give a table with a row per example")
        frame = reader(path)
    except OSError as error:
        raise DataError(f"cannot read {path}: {files.reason(error)}") from error
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise flaws.explain(path, error) from error
    flaws.check(path, frame)
    return Table(str(path), frame)


def from_rows(rows: Sequence[dict[str, Any]], source: str = "the table given") -> Table:
    """Make a table of rows, columns by name; whole numbers may stand among others, and paths for their names."""
    if (place := next((k for k, row in enumerate(rows, 1) if not isinstance(row, dict)), None)) is not None:
        raise DataError(f"{source}, row {place} is no object; give one with a value for each column")
    try:
        return Table(source, _frame(rows))
    except (pl.exceptions.PolarsError, TypeError, OverflowError, UnicodeEncodeError) as error:
        raise flaws.of_rows(source, rows, error) from error


def _frame(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Rows as columns. Where a list holds whole numbers and others, all are others, and paths are their names.

    polars goes by the first number of a list, and knows no paths.
    """
    try:
        found = pl.DataFrame(rows, infer_schema_length=None)
        if pl.Object not in found.dtypes:
            return found
    except (pl.exceptions.PolarsError, TypeError):
        if not any(isinstance(value, list | tuple | PathLike) for row in rows for value in row.values()):
            raise
    cells = ((name, value) for row in rows for name, value in row.items() if isinstance(value, list | tuple))
    mixed = {name for name, value in cells if _has_float(value)}
    even = [{name: _plain(value, floats=name in mixed) for name, value in row.items()} for row in rows]
    return pl.DataFrame(even, infer_schema_length=None)


def _plain(value: Any, *, floats: bool) -> Any:
    if floats:
        return _floats(value)
    return fspath(value) if isinstance(value, PathLike) else value


def _has_float(value: Any) -> bool:
    return any(map(_has_float, value)) if isinstance(value, list | tuple) else isinstance(value, float)


def _floats(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_floats(each) for each in value]
    return float(value) if type(value) is int else value


def joined(columns: Sequence[Column]) -> Column:
    """One column of the rows of several of one type; each row keeps its number."""
    if len(columns) == 1:
        return columns[0]
    first = columns[0]
    values = pl.concat([column.values for column in columns])
    return Column(first.source, first.name, values, np.concatenate([column.rows for column in columns]))


def fingerprint(path: Path) -> str:
    """Return the SHA-256 of a file's bytes; DataError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"cannot read {path}: {files.reason(error)}") from error


def check_writable(path: Path) -> None:
    """Raise what `write` would, as far as it can be told before any work is done.

    Raises:
        UsageError: the file's ending names no format.
        RunError: its folder is not there, or cannot be written to.

    """
    if path.suffix.lower() in WRITERS:
        files.check_writable(path)
    else:
        raise UsageError(f"cannot tell a table's format from {path}; end it in {', '.join(WRITERS)}")


def write(path: Path, rows: list[dict[str, Any]] | pl.DataFrame) -> Path:
    """Write rows, columns by name, whole or not at all. In csv and tsv a list becomes its items with spaces between."""
    check_writable(path)
    frame = rows if isinstance(rows, pl.DataFrame) else _frame(rows)
    return files.replace(path, lambda temporary: WRITERS[path.suffix.lower()](frame, temporary))


def from_stdin(column: str) -> Table:
    """Read JSON lines from standard input; lines that are no JSON objects are texts, in the column of that name."""
    try:
        lines = [line for line in sys.stdin.read().splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise DataError(f"standard input is not UTF-8 text (offset {error.start}); convert it first") from error
    if not lines:
        raise DataError("standard input is empty; there is nothing to read")
    if not lines[0].lstrip().startswith("{"):
        return from_rows([{column: line} for line in lines], "standard input")
    return from_rows(flaws.parse_lines("standard input", lines), "standard input")


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with every list as text."""
    nested = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.List | pl.Array)]
    return frame.with_columns(
        pl.Series(name, [None if row is None else " ".join(map(str, row)) for row in frame[name]], pl.String)
        for name in nested
    )
