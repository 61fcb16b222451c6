"""Tables whose cells are texts, as csv and tsv have them: what they mean, and how other cells are written.

It does not know what a column is for.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from elman.data import flaws

LIST = r"(?i)^\s*\[(?:[\[\]\s\d.,e+-]|nan|null|inf(?:inity)?)*\]\s*$"
OTHER_LIST = r"(?s)^\s*\[.*\]\s*$"
OTHERS = {
    (str, 1): pl.List(pl.String),
    (str, 2): pl.List(pl.List(pl.String)),
    (bool, 1): pl.List(pl.Boolean),
    (bool, 2): pl.List(pl.List(pl.Boolean)),
}
DECIMAL_COMMA = r"^\s*([+-]?(\d+,?\d*|,\d+)([eE][+-]?\d+)?)?\s*$"
THOUSANDS = r"^\s*([+-]?([1-9]\d{0,2}(\.\d{3})+|\d+)(,\d*)?)?\s*$"
"""With points between them, as where decimals have commas: 1.080 or 1.234,5."""


def read(path: Path) -> pl.DataFrame:
    """A csv or tsv as texts, and lists. Between semicolons whole columns may have decimal commas."""
    separator = flaws.separator(path)
    frame = _without_empty_end(pl.read_csv(path, infer_schema=False, separator=separator))
    frame = frame.with_columns(_lists(path, column) for column in frame)
    if separator != ";":
        return frame
    texts = [column for column in frame if column.dtype == pl.String]
    commas = [
        column for column in texts if _all(column, DECIMAL_COMMA) and column.str.contains(",", literal=True).any()
    ]
    for column in texts:
        if _all(column, THOUSANDS) and (commas or column.str.contains(r"\..*[.,]").any()):
            flaws.check_thousands(path, column)
    return frame.with_columns(column.str.replace(",", ".", literal=True) for column in commas)


def _all(texts: pl.Series, pattern: str) -> bool:
    return bool(texts.str.contains(pattern).all())


def flat(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with every list as text: its items with spaces between or, where these would not do, as JSON."""
    nested = [frame[name] for name, dtype in frame.schema.items() if isinstance(dtype, pl.List | pl.Array)]
    return frame.with_columns(
        texts(column) if any(map(_hard, column.to_list())) else _spaced(column) for column in nested
    )


def spelt(frame: pl.DataFrame) -> pl.DataFrame:
    """The table with categories as a csv has them: as texts, which polars compares and casts to numbers."""
    return frame.cast({name: _spelt(dtype) for name, dtype in frame.schema.items() if dtype != _spelt(dtype)})


def _spelt(dtype: Any) -> Any:
    if isinstance(dtype, pl.List):
        return pl.List(_spelt(dtype.inner))
    return pl.String if dtype in (pl.Categorical, pl.Enum) else dtype


def moments(column: pl.Series) -> pl.Series:
    """A column of dates, or of moments, as a csv has it: "2024-01-31", "2024-01-31 13:05:00"."""
    return column.cast(pl.String).str.replace(r"( 00:00:00)?\.0+$", "")


def texts(column: pl.Series) -> pl.Series:
    """A column of lists or objects as texts that can be read again."""
    found = [None if row is None else json.dumps(row, ensure_ascii=False, default=str) for row in column.to_list()]
    return pl.Series(column.name, found, pl.String)


def _without_empty_end(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame up to the last row that holds anything: blank lines and ",,," at the end of a file are no rows."""
    filled = frame.select(pl.any_horizontal(pl.all().is_not_null())).to_series().arg_true()
    return frame.head(int(filled[-1]) + 1 if len(filled) else 0)


def _lists(path: Path, column: pl.Series) -> pl.Series:
    """A column of texts, as lists where each text is one as JSON has it: "[0.5, 1]", "[[0.5, 1], [2, 3]]", '["a"]'."""
    filled = column.drop_nulls()
    if not len(filled) or not filled.str.contains(OTHER_LIST).all():
        return column
    if not filled.str.contains(LIST).all():
        return _other_lists(column)
    nested = filled.str.contains(r"^\s*\[\s*\[").any()
    try:
        found = column.str.json_decode(pl.List(pl.List(pl.Float64)) if nested else pl.List(pl.Float64))
    except pl.exceptions.PolarsError as error:
        raise flaws.of_list(path, column, error) from error
    numbers = found.explode().drop_nulls()
    whole = not nested and bool((numbers == numbers.round()).all()) and bool((numbers.abs() < 2**53).all())
    return found.cast(pl.List(pl.Int64)) if whole else found  # which may be tags


def _other_lists(column: pl.Series) -> pl.Series:
    """A column of texts, as lists of texts or booleans, or of lists of these, where JSON reads each as such a list."""
    try:
        rows = [None if text is None else json.loads(text) for text in column]
        forms = {form for row in rows for form in _forms(row)}
        dtype = OTHERS.get(forms.pop()) if len(forms) == 1 else None
        return column if dtype is None else pl.Series(column.name, rows, dtype)
    except (ValueError, TypeError, RecursionError):  # texts that stand in brackets
        return column


def _forms(value: Any, depth: int = 0) -> Iterator[tuple[type, int]]:
    """Of which type the values in a list are, and in how many lists they stand."""
    if isinstance(value, list):
        for each in value:
            yield from _forms(each, depth + 1)
    elif value is not None:
        yield type(value), depth


def _hard(row: list[Any] | None) -> bool:
    """Whether the items of a list could not be told apart with spaces between: lists, texts with spaces, nothing."""
    return any(
        item.split() != [item] if isinstance(item, str) else not isinstance(item, int | float) for item in row or ()
    )


def _spaced(column: pl.Series) -> pl.Series:
    rows = [None if row is None else " ".join(map(str, row)) for row in column.to_list()]
    return pl.Series(column.name, rows, pl.String)
