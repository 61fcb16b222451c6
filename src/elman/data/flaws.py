"""What is wrong with a table that cannot be read, and in which row: looked for only when reading has failed.

It does not know what a column is for.
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from elman.data.text import RECODE, check_format
from elman.errors import DataError

SEPARATED = (".csv", ".tsv")
PLURALS = {"a text": "texts", "a number": "numbers", "a boolean": "booleans", "an object": "objects"}
MIXED, EMPTY = "a list of different things", "an empty list"
ENOUGH, LOOKED_AT = 10, 1000
"""Rows that tell whether the line above them is one of them; of more, the first are looked at."""
DATE = r"^\s*\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|^\s*\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}"
WIDEST = 1 << 30
"""Characters of a csv field; Python's reader would stop at 131072."""
NESTING, DEEPEST = frozenset({list, tuple, dict}), 50
"""What may lie in itself, and how often: polars ends the process where its stack ends."""


def check(path: Path, frame: pl.DataFrame) -> None:
    """Raise DataError where a table was read that has no rows, two columns of one name, or rows that are too short."""
    if not len(frame):
        raise DataError(f"{path} has no rows; give a table with a row per example")
    if path.suffix.lower() in SEPARATED and len(frame) >= ENOUGH and (first := _is_row(frame)) is not None:
        raise DataError(
            f"{path} has no header: its first line, with {first}, is a row like those below it; put a line with the "
            "names of the columns above it"
        )
    if len(frame.columns) == 1 and path.suffix.lower() == ".csv" and "\t" in frame.columns[0]:
        raise DataError(f"{path} has tabs between its fields, as a .tsv has; rename it to {path.stem}.tsv")
    if twice := next((name for name in frame.columns if name.endswith("_duplicated_0")), None):
        raise DataError(f"{path} has two columns named {twice.removesuffix('_duplicated_0')!r}; rename one")
    if path.suffix.lower() in SEPARATED and frame[:, -1].has_nulls():
        _check_text(path)
        _check_width(path)
    if path.suffix.lower() == ".jsonl":
        _check_types(path, frame)


def _is_row(frame: pl.DataFrame) -> str | None:
    """Return, quoted, what shows that the names of a frame of texts are its first row; None where nothing does.

    That is a label among the labels below it, a date above dates, or numbers above numbers. Columns that are named by
    numbers have these in order, as years and the places of pixels are.
    """
    some = frame.head(LOOKED_AT).select(pl.col(pl.String))
    if not some.columns:
        return None
    some = some.filter(~pl.all_horizontal(pl.col(name) == name for name in some.columns))  # tables that were joined
    names = {name: re.sub(r"_duplicated_\d+$", "", name) for name in some.columns}
    numbers = {}
    for column, name in names.items():
        values, number = some[column].drop_nulls(), pl.Series([name]).cast(pl.Float64, strict=False)[0]
        if number is not None:
            if not values.cast(pl.Float64, strict=False).has_nulls():
                numbers[column] = number
        elif _is_label(name, values) or _is_date(name, values):
            return repr(name)
    in_order = sorted(set(numbers.values()))
    if [*numbers.values()] in (in_order, in_order[::-1]):
        return None
    return " and ".join(repr(names[column]) for column in list(numbers)[:2])


def _is_label(name: str, values: pl.Series) -> bool:
    return (values == name).any() and 2 * values.n_unique() <= len(values)


def _is_date(name: str, values: pl.Series) -> bool:
    return re.match(DATE, name) is not None and len(values) > 0 and values.str.contains(DATE).all()


def explain(path: Path, error: BaseException) -> DataError:
    """Return the error that says which row made the reader fail, or the reader's own words where none is found."""
    try:
        ending = path.suffix.lower()
        if ending != ".parquet":
            _check_text(path)
        if ending in SEPARATED:
            _check_width(path)
            _check_quotes(path)
        if ending == ".jsonl":
            with path.open(encoding="utf-8") as lines:
                if lines.read(1) == "\ufeff":
                    return DataError(f"{path} begins with a byte-order mark, which JSON lines may not; remove it")
                lines.seek(0)
                check_lines(str(path), lines)
    except DataError as found:
        return found
    return DataError(f"cannot read {path} as {path.suffix.removeprefix('.')}: {brief(error)}")


def separator(path: Path) -> str:
    """What stands between the fields of a csv or tsv: a semicolon in a csv whose header has more of these than commas.

    Those within quotes do not count.
    """
    if path.suffix.lower() == ".tsv":
        return "\t"
    with path.open("rb") as file:
        header = file.readline()
    if re.match(rb'(?:\xef\xbb\xbf)?"?sep=."?\s*$', header):
        raise DataError(f"{path} begins with a line for spreadsheets, 'sep=', in the header's place; remove it")
    plain = re.sub(rb'"[^"]*"', b"", header)
    return ";" if plain.count(b";") > plain.count(b",") else ","


def check_thousands(path: Path, column: pl.Series) -> None:
    """Raise DataError at the first of these numbers, between which decimals have commas, that has a point."""
    if (points := column.str.contains(".", literal=True).fill_null(value=False)).any():
        row = int(points.arg_max() or 0)
        raise DataError(
            f"{path}, row {row + 1}, column {column.name!r} is {column[row]!r}, with a point in a table whose decimals "
            f"have commas; write {column[row].strip().replace('.', '')}, without points between thousands"
        )


def check_lines(source: str, lines: Iterable[str]) -> None:
    """Raise what `parsed_lines` would, and keep no line."""
    for _ in parsed_lines(source, lines):
        pass


def parsed_lines(source: str, lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield the objects of JSON lines; DataError at the first line that is none, or differs in type from the first."""
    kinds: dict[str, str] = {}
    for number, line in enumerate((line for line in lines if line.strip()), 1):
        try:
            row = json.loads(line, parse_constant=_no_number)
        except ValueError as error:
            raise DataError(f"{source}, row {number} is no JSON ({brief(error)}); mend or remove it") from error
        if not isinstance(row, dict):
            raise DataError(f'{source}, row {number} is no JSON object; write {{"column": value, ...}} in every line')
        _check_kinds(source, number, row, kinds)
        yield row


def of_list(path: Path, column: pl.Series, error: Exception) -> DataError:
    """Return the error that names the first row whose text is no list that JSON knows, or the reader's own words."""
    for number, text in enumerate(column, 1):
        try:
            json.loads(text or "[]", parse_constant=_no_number)
        except ValueError as own:
            what = f"holds a list that cannot be read ({brief(own)}); mend it"
            return DataError(f"{path}, row {number}, column {column.name!r} {what}")
    return DataError(f"cannot read the lists of {path}, column {column.name!r}: {brief(error)}")


def check_rows(source: str, rows: Sequence[object]) -> None:
    """Raise DataError where a row is no object, or lists lie in lists more often than anything reads."""
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise DataError(f"{source}, row {number} is no object; give one with a value for each column")
        for name, value in row.items():
            if type(value) in NESTING and _depth(value) > DEEPEST:
                raise DataError(
                    f"{source}, row {number}, column {name!r} holds lists in lists, more than {DEEPEST} deep; "
                    "mend or remove it"
                )


def _depth(value: Any) -> int:
    """How many lists or objects lie in each other, counted up to one more than may."""
    inside, depth = [value], 0
    while inside and depth <= DEEPEST:
        depth += 1
        parts = [each.values() if isinstance(each, dict) else each for each in inside]
        inside = [part for each in parts if not NESTING.isdisjoint(map(type, each)) for part in each]
        inside = [part for part in inside if type(part) in NESTING]
    return depth


def of_rows(source: str, rows: Sequence[dict[str, Any]], error: Exception) -> DataError:
    """Return the error that names the first row of which the values differ in type, or the reader's own words."""
    kinds: dict[str, str] = {}
    for number, row in enumerate(rows, 1):
        for name, value in row.items():
            if (kind := _kind(value)) == MIXED:
                return DataError(f"{source}, row {number}, column {name!r} holds {kind}; mend or remove it")
        try:
            _check_kinds(source, number, row, kinds)
        except DataError as found:
            return found
    return DataError(f"{source} cannot be read: {brief(error)}")


def _check_kinds(source: str, number: int, row: dict[str, Any], kinds: dict[str, str]) -> None:
    """Raise DataError where a value differs in type from those before, and note the types of those that have none."""
    for name, value in row.items():
        kind, usual = _kind(value), kinds.get(name)
        if value is None or (kind == EMPTY and usual is not None and "list" in usual):
            continue
        if usual not in (None, kind) and not (usual == EMPTY and "list" in kind):
            raise DataError(
                f"{source}, row {number}, column {name!r} holds {kind}, where the rows before hold {usual}; "
                "mend or remove it"
            )
        kinds[name] = kind


def _no_number(name: str) -> None:
    raise ValueError(f"it has no number {name}")


def brief(error: BaseException) -> str:
    """Return the first line of an error, without what its library adds for programmers."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].strip().rstrip(".:")


def _kind(value: Any) -> str:
    """The type of a JSON value, in words."""
    if isinstance(value, list):
        inner = {_kind(item) for item in value if item is not None}
        inner.discard(EMPTY)  # of a type that the others tell
        if len(inner) != 1 or MIXED in inner:
            return MIXED if inner else EMPTY
        return f"a list of {PLURALS.get(inner.pop(), 'lists')}"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a text", dict: "an object"}
    return names.get(type(value), f"a value of type {type(value).__name__}")


def _check_types(path: Path, frame: pl.DataFrame) -> None:
    """Raise DataError where a column became text or nothing because its rows hold different types."""
    with path.open(encoding="utf-8") as lines:
        first = json.loads(next(line for line in lines if line.strip()))
        told = {name: _kind(value) for name, value in first.items() if value is not None}
        other = any("String" in str(frame.schema[name]) and "text" not in kind for name, kind in told.items())
        if other or any(map(_has_json, frame)):
            lines.seek(0)
            check_lines(str(path), lines)


def _has_json(column: pl.Series) -> bool:
    """Whether texts may be lists or objects, which polars writes as texts where others are texts."""
    while isinstance(column.dtype, pl.List):
        column = column.explode()
    return column.dtype == pl.String and bool(column.str.contains(r"^[\[{]").any())


def _check_text(path: Path) -> None:
    """Raise DataError at the first bytes that are not UTF-8."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if number == 1:
                check_format(path, line)
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                what = f"byte 0x{line[error.start]:02x} in line {number}"
                raise DataError(f"{path} is not UTF-8 text ({what}); convert it: {RECODE}") from error


def _check_width(path: Path) -> None:
    """Raise DataError at the first row that has more or fewer fields than the header."""
    with path.open(encoding="utf-8", newline="") as file, _wide_fields():
        reader = csv.reader(_without_zeros(file), delimiter=separator(path))
        header = next(reader, [])
        for number, row in enumerate(reader, 1):
            if row and len(row) != len(header):
                raise DataError(
                    f"{path}, row {number} has {len(row)} field{'s' * (len(row) != 1)}, the header {len(header)}; "
                    "mend the row, or put fields that hold separators or quotes into quotes"
                )


def _check_quotes(path: Path) -> None:
    """Raise DataError at the first row in which quotes stand elsewhere than around a field, or are not closed."""
    between = separator(path)
    ends = re.escape(between)
    field = re.compile(rf'(?:"(?:[^"]|"")*+"|[^"\r\n{ends}]*)({ends}|\r\n?|\n|\Z)')
    with path.open(encoding="utf-8-sig", newline="") as file:
        text = file.read()
    at = row = 0
    while at < len(text):
        if (found := field.match(text, at)) is None:
            where = f"row {row}" if row else "header"
            raise DataError(
                f"{path}, {where} has a quote inside of a field, or one that is not closed; "
                'put the field into quotes and write the quote twice, as in "a 5"" nail"'
            )
        at, row = found.end(), row + (found[1] != between)


def _without_zeros(lines: Iterable[str]) -> Iterator[str]:
    return (line.replace("\0", "") for line in lines)


@contextmanager
def _wide_fields() -> Iterator[None]:
    former = csv.field_size_limit(WIDEST)
    try:
        yield
    finally:
        csv.field_size_limit(former)
