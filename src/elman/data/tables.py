"""Tables on disk: csv, tsv, jsonl and parquet by the file's ending, read with errors that name file, row and column.

Rows are counted from 1, without the header. It does not know what a column is for.
"""

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from elman import files
from elman.data import fields, flaws
from elman.data.ragged import Integers, Ragged
from elman.data.text import TextSource
from elman.errors import DataError, RunError, UsageError
from elman.names import listed, nearest


def _write_parquet(frame: pl.DataFrame, path: Path) -> None:
    try:
        frame.write_parquet(path)
    except pl.exceptions.ComputeError as error:  # so polars calls a full disk here; of the other formats, OSError
        raise OSError(str(error).rpartition("IO error: ")[2]) from error


WRITERS: dict[str, Callable[[pl.DataFrame, Path], None]] = {
    ".csv": lambda frame, path: fields.flat(frame).write_csv(path),
    ".tsv": lambda frame, path: fields.flat(frame).write_csv(path, separator="\t"),
    ".jsonl": lambda frame, path: frame.write_ndjson(path),
    ".parquet": _write_parquet,
}
FILES = {
    "images": (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"),
    "recordings": (".wav", ".flac", ".ogg", ".mp3"),
    "films": (".mp4", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".m4v"),
}
"""Kinds of files that the texts of a column may name, by how they end."""
SUFFIX = r"(?i)\.[a-z][a-z0-9]+\s*$"
"""How the names of all these end: columns without any such text need no closer look, and wide tables have many."""
LOOKED_AT = 1000
NAMING = r"^names .*?, which "
"""How what is wrong with a file begins where a row of a table names the file."""

READERS: dict[str, Callable[[Path], pl.DataFrame]] = {
    ".csv": fields.read,
    ".tsv": fields.read,
    ".jsonl": lambda path: pl.read_ndjson(path, infer_schema_length=None),
    ".parquet": lambda path: fields.spelt(pl.read_parquet(path, memory_map=False)),
}
ENDINGS = ", ".join(READERS)
REMEDIES = {
    (".gz", ".bz2", ".xz", ".zst", ".zip"): "unpack it",
    (".json",): "write each of its objects on a line of its own, as a .jsonl",
    (".xlsx", ".xls", ".ods"): "save its sheet as a .csv",
}
"""What makes a table of other files, by how they end."""


@dataclass(frozen=True)
class Column:
    """A column of a table, or some of its rows; it knows where in the file they stand.

    Without a source its values are files that the user named, and no table has them.
    """

    source: str
    name: str
    values: pl.Series
    rows: Integers
    """The number of each row in the file, from 1."""
    steps: Ragged | None = None
    """The number of the row of each time step, where each has one of its own."""

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.values)

    @property
    def kind(self) -> str:
        """What it holds: text, number, texts (a list of texts a row), numbers (lists of numbers, or of such lists).

        Texts that name files are of the kind that `FILES` has for their endings, lists of such texts "lists of" it.
        """
        held = self.form
        if held == "text":
            return _named(self.values) or held
        named = _named(self.values.head(LOOKED_AT).explode()) if held == "texts" else None
        return f"lists of {named}" if named else held

    @property
    def form(self) -> str:
        """The same, whatever its texts name: of rows that are to be answered, a text of one word may end in .png."""
        return kind(self.values.dtype)

    @property
    def measures(self) -> bool:
        """Whether it holds lists of numbers that are no names: not whole, or several for each step."""
        inner: Any = getattr(self.values.dtype, "inner", None)
        return self.kind == "numbers" and not (inner.is_integer() or inner == pl.Boolean)

    def take(self, chosen: npt.NDArray[np.integer[Any]]) -> "Column":
        """Return some of the rows."""
        steps = None if self.steps is None else self.steps.take(chosen)
        return Column(self.source, self.name, self.values.gather(pl.Series(chosen)), self.rows[chosen], steps)

    def error(self, index: int, what: str, step: int | None = None) -> DataError:
        """Return the error that says `what` of the row at `index`, or of one of its time steps.

        Of a file that stands for itself it says it of the file.
        """
        if not self.source:
            return DataError(f"{self.values[index]} {re.sub(NAMING, '', what)}")
        row = self.rows[index] if step is None or self.steps is None else self.steps[index][step]
        return DataError(f"{self.source}, row {row}, column {self.name!r} {what}")

    @property
    def keys(self) -> pl.Series:
        """A text for each row, alike where its texts or lists of texts are."""
        return self.values.list.join("\0") if isinstance(self.values.dtype, pl.List) else self.values

    def distinct(self) -> tuple["Column", Integers]:
        """Return the first row of each text or list of texts, and which of these each row is like, (N,)."""
        keys = self.keys
        first = keys.arg_unique().sort()
        numbers = keys.replace_strict(keys.gather(first), pl.Series(range(len(first)), dtype=pl.Int64))
        return self.take(first.to_numpy()), numbers.to_numpy()

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
    numbers: Integers | None = None
    """The rows' numbers, where these are some of a file's."""

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.frame)

    def __str__(self) -> str:
        """Say where it came from."""
        return self.source

    @property
    def names(self) -> list[str]:
        """The columns' names."""
        return self.frame.columns

    @cached_property
    def rows(self) -> Integers:
        """The rows' numbers in the file, from 1."""
        return np.arange(1, len(self.frame) + 1) if self.numbers is None else self.numbers

    def column(self, name: str) -> Column:
        """Return a column; DataError lists those there are."""
        try:
            values = self.frame.get_column(name)
        except pl.exceptions.ColumnNotFoundError:
            near = nearest(name, self.names)
            raise DataError(
                f"{self.source} has no column {name!r}{near}; it has {listed(self.names) or 'none'}"
            ) from None
        return Column(self.source, name, values, self.rows)

    def columns(self) -> list[Column]:
        """Return all columns."""
        return [Column(self.source, values.name, values, self.rows) for values in self.frame]

    @property
    def described(self) -> str:
        """Its columns with what they hold, in words."""
        return ", ".join(f"{column.name!r} ({in_words(column.kind)})" for column in self.columns())

    @property
    def counts(self) -> dict[str, int]:
        """How much there is, by what it is counted in."""
        return {"rows": len(self)}

    @property
    def amount(self) -> tuple[int, str]:
        """How much there is to learn from, and what it is counted in, in the number that goes with it."""
        return len(self), "row" if len(self) == 1 else "rows"

    def take(self, chosen: npt.NDArray[np.integer[Any]]) -> "Table":
        """Return some of the rows."""
        return replace(self, frame=self.frame[chosen], numbers=self.rows[chosen])

    def told(self, answers: Iterable[list[dict[str, Any]]]) -> Iterable[list[dict[str, Any]]]:
        """Return answers to the rows, block by block, columns by name, in the form that the table has: as they are."""
        return answers


def kind(dtype: Any) -> str:
    """Return what a column of this polars type holds, in one word; "mixed values" where it cannot be used."""
    if dtype == pl.String:
        return "text"
    if dtype == pl.Null:
        return "nothing"
    if dtype.is_numeric() or dtype == pl.Boolean:
        return "number"
    if isinstance(dtype, pl.List | pl.Array):
        inner = {"text": "texts", "number": "numbers", "numbers": "numbers", "nothing": "empty lists"}
        return inner.get(kind(dtype.inner), "mixed values")
    return "times" if dtype.is_temporal() else "mixed values"


def in_words(kind: str) -> str:
    """Return what columns of a kind hold, in the plural."""
    plurals = {"text": "texts", "number": "numbers", "texts": "lists of texts", "numbers": "lists of numbers"}
    return plurals.get(kind, kind)


def _named(texts: pl.Series) -> str | None:
    """Return the kind of files that most of the first texts name, None where they name none."""
    some = texts.head(LOOKED_AT).drop_nulls().cast(pl.String)
    if not some.str.contains(SUFFIX).any():
        return None
    first = [text.strip().lower() for text in some]
    return next((name for name, ends in FILES.items() if 2 * sum(t.endswith(ends) for t in first) > len(first)), None)


Source = Path | Table | TextSource
"""Where data comes from: a file or folder, the rows of a table themselves, or a text in memory."""


def read(path: Source) -> Table:
    """Read a table; one that was given is what it is.

    Raises:
        UsageError: the file's ending names no format.
        DataError: the file is missing, empty or damaged; the first bad row is named.

    """
    if isinstance(path, Table):
        return path
    if isinstance(path, TextSource):
        raise UsageError(
            f"{path} is a list of texts, and this task reads a table; give rows as [{{column: value}}, ...]"
        )
    reader = READERS.get(path.suffix.lower())
    if not path.suffix and not path.exists():
        raise DataError(f"cannot read {path}: no such file or directory")
    if reader is None:
        remedy = next((f": {say}" for ends, say in REMEDIES.items() if path.suffix.lower() in ends), "")
        raise UsageError(f"{path} is no table; its name should end in one of {ENDINGS}{remedy}")
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
    flaws.check_rows(source, rows)
    try:
        return Table(source, _without_nan(frame(rows), rows))
    except (pl.exceptions.PolarsError, TypeError, OverflowError, UnicodeEncodeError) as error:
        raise flaws.of_rows(source, rows, error) from error


def _without_nan(found: pl.DataFrame, rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """The rows with nothing where a number that is none stands among texts, as pandas has it for a missing one."""
    names = [name for name, dtype in found.schema.items() if dtype == pl.String and (found[name] == "NaN").any()]
    missing = {name: pl.Series([isinstance(row.get(name), float) for row in rows]) for name in names}
    return found.with_columns(found[name].set((found[name] == "NaN") & where, None) for name, where in missing.items())


def frame(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Return rows as columns. Where a list holds whole numbers and others, all are others, and paths are their names.

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


def kept(place: Path, columns: list[str] | None = None) -> pl.DataFrame:
    """Read a table, or some of its columns, that lies in a run folder; RunError where it is gone or damaged."""
    try:
        return pl.read_parquet(place, columns=columns, memory_map=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise RunError(f"{place} cannot be read; restore it, or train the run anew") from error


def joined(columns: Sequence[Column]) -> Column:
    """One column of the rows of several of one type; each row keeps its number."""
    if len(columns) == 1:
        return columns[0]
    first = columns[0]
    values = pl.concat([column.values for column in columns])
    return Column(first.source, first.name, values, np.concatenate([column.rows for column in columns]))


def fingerprint(path: Source) -> str:
    """Return the SHA-256 of a file's bytes, or of a table's values; DataError where a file cannot be read."""
    if isinstance(path, TextSource):
        return path.sha256
    if isinstance(path, Table):
        return hashlib.sha256(path.frame.rechunk().write_ipc(None).getvalue()).hexdigest()
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
    """Write rows, columns by name, whole or not at all.

    In csv and tsv a list becomes its items with spaces between or, where these would not tell them apart, JSON.
    """
    check_writable(path)
    found = rows if isinstance(rows, pl.DataFrame) else frame(rows)
    return files.replace(path, lambda temporary: WRITERS[path.suffix.lower()](found, temporary))


def readable(path: Path, table: pl.DataFrame) -> pl.DataFrame:
    """Return a table such that what `write` makes of it at `path` can be read again: lists as JSON in csv and tsv."""
    if path.suffix.lower() not in flaws.SEPARATED:
        return table
    return table.with_columns(fields.texts(table[name]) for name, dtype in table.schema.items() if dtype.is_nested())
