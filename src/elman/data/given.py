"""Rows and columns that stand in memory, as Python has them, as tables.

Rows are dictionaries by column; columns are a dictionary of lists or arrays, or a data frame of polars or pandas. A
cell may be an array or a tensor, such as a series of time steps.
"""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from torch import Tensor

from elman.data import fields, tables, text
from elman.data.tables import Source, Table
from elman.errors import DataError, UsageError

LONGEST_NAME = 250
UNITS = {"Y": "D", "M": "D", "W": "D", "h": "ms", "m": "ms", "s": "ms"}
"""What stands for the units of numpy's moments that polars does not know."""
MISSING = ("NAType", "NaTType")
"""The types of pandas' NA and NaT."""
ROWS = "rows such as [{'text': ..., 'label': ...}], columns such as {'text': [...], 'label': [...]}, or a data frame"


def table(data: Any, source: str) -> Table:
    """Make a table of rows or columns; in errors they are called `source`.

    Raises:
        UsageError: if it is neither.
        DataError: if nothing is there, columns differ in length, or what a column holds differs in kind.

    """
    if in_columns(data):
        found = Table(source, fields.spelt(data if isinstance(data, pl.DataFrame) else _frame(data, source)))
    elif isinstance(data, list | tuple) and all(isinstance(row, Mapping) for row in data):
        found = tables.from_rows([_cells(row) for row in data], source)
    else:
        of = f" of {type(data[0]).__name__}" if isinstance(data, list | tuple) else ""
        raise UsageError(f"{source} must be a file, {ROWS}, got {type(data).__name__}{of}")
    if not found.names or not len(found):
        raise DataError(f"{source} is empty; give {ROWS}")
    return found


def source(data: Any, said: str) -> Source:
    """The file that data names, or the table or text that it is in memory; in errors it is called `said`."""
    if isinstance(data, str) and _is_text(data):
        raise UsageError(f"{said} is no file but a text, {data[:40]!r}...; a text in memory stands in a list: [text]")
    if isinstance(data, str | PathLike):
        return Path(data)
    if isinstance(data, list | tuple) and data and all(isinstance(each, str) for each in data):
        return text.joined(data, said)
    return table(data, said)


def check_there(name: str) -> None:
    """Raise DataError where a text that is given in the place of rows names no file."""
    if _is_text(name) or not _is_there(name):
        shown = f"{name[:40]!r}..." if _is_text(name) else name
        raise DataError(
            f"{shown} cannot be read: no such file or directory; rows in memory, also texts, stand in a list: [text]"
        )


def _is_text(name: str) -> bool:
    """Whether no file has that name, and it hardly is one, being long or of several lines."""
    return ("\n" in name or len(name) > LONGEST_NAME) and not _is_there(name)


def _is_there(name: str) -> bool:
    try:
        return Path(name).exists()
    except OSError:  # too long for a name
        return False


def rows(data: Any) -> list[Any]:
    """Rows as a list: values or dictionaries by column, arrays as lists, and columns turned into rows."""
    if in_columns(data):
        return table(data, "the table given").frame.to_dicts()
    try:
        found = iter(data)
    except TypeError as error:
        raise UsageError(f"give a file, a list of what is read, {ROWS}, got {type(data).__name__}") from error
    return [_cells(row) for row in found]


def in_columns(data: Any) -> bool:
    """Whether it is a data frame, or a dictionary of columns."""
    if isinstance(data, Mapping):
        if one := next((name for name, values in data.items() if not _listed(values)), None):
            raise UsageError(
                f"column {one!r} is {type(data[one]).__name__}, and should be a list with a value for each row; "
                "a single row stands in a list: [{...}]"
            )
        return True
    return hasattr(data, "columns") and (hasattr(data, "to_dict") or hasattr(data, "to_dicts"))


def _frame(columns: Any, source: str) -> pl.DataFrame:
    """Columns of Python, numpy or pandas."""
    found = {str(name): _column(columns[name]) for name in columns} | _index(columns)
    sizes = {name: len(values) for name, values in found.items()}
    if len(set(sizes.values())) > 1:
        one, other = min(sizes, key=sizes.__getitem__), max(sizes, key=sizes.__getitem__)
        raise DataError(
            f"{source} has {sizes[other]} values in column {other!r} and {sizes[one]} in {one!r}; give as many of each"
        )
    if not any(sizes.values()):
        return pl.DataFrame()
    return pl.DataFrame([_series(name, values, source) for name, values in found.items()])


def _index(frame: Any) -> dict[str, Any]:
    """The index of a data frame of pandas by its name, where it has moments; "time" where it has no name."""
    index = getattr(frame, "index", None)
    if not str(getattr(index, "dtype", "")).startswith("datetime64"):
        return {}
    name = "time" if index.name is None else str(index.name)  # type: ignore[union-attr]
    return {} if name in frame.columns else {name: _column(index)}


def _series(name: str, values: Any, source: str) -> pl.Series:
    """A column with its name. Values become one as rows do: polars goes by the first list, [[1], [2.5]] is [1], [2]."""
    if isinstance(values, pl.Series):
        return values.alias(name)
    return tables.from_rows([{name: value} for value in values], source).frame[name]


def _column(values: Any) -> Any:
    """An array of numbers or dates as it is, one of several dimensions as lists; else values without arrays inside."""
    if isinstance(values, pl.Series):
        return values
    array = values.numpy(force=True) if isinstance(values, Tensor) else values
    array = array.to_numpy() if hasattr(array, "to_numpy") else array
    if isinstance(array, np.ndarray) and array.dtype.kind in "biufM":
        return _as_lists(pl.Series(_in_known_units(array)))
    return [_plain(value) for value in array]


def _in_known_units(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The array; dates and moments in units that polars knows."""
    if array.dtype.kind != "M":
        return array
    unit = np.datetime_data(array.dtype)[0]
    return array.astype(f"datetime64[{UNITS.get(unit, unit)}]")


def _as_lists(values: pl.Series) -> pl.Series:
    """The inner dimensions of an array as lists."""
    inner: Any = values.dtype
    depth = 0
    while isinstance(inner, pl.Array):
        inner, depth = inner.inner, depth + 1
    for _ in range(depth):
        inner = pl.List(inner)
    return values.cast(inner)


def _plain(value: Any) -> Any:
    """A cell without arrays inside, and without what pandas has where there is nothing."""
    if type(value).__name__ in MISSING:
        return None
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, list | tuple) and any(hasattr(each, "tolist") for each in value):
        return [_plain(each) for each in value]
    return value


def _cells(row: Any) -> Any:
    """A row whose arrays are lists."""
    return {name: _plain(value) for name, value in row.items()} if isinstance(row, Mapping) else _plain(row)


def _listed(values: Any) -> bool:
    return hasattr(values, "__len__") and not isinstance(values, str | bytes | Mapping)
