"""The few names that an answer is chosen from: texts, numbers or booleans, given back as what they were in training.

A name is kept as a text, and the kind of all of them beside it. It does not know whether a row has one name or several.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from elman.data import fields
from elman.data.tables import Column
from elman.errors import DataError
from elman.names import listed

TEXT = "text"
KINDS: dict[str, Callable[[str], Any]] = {TEXT: str, "int": int, "float": float, "bool": lambda text: text == "true"}
"""By kind, what makes a value of a name."""
NUMBER, ZEROS = r"^-?(?:0|[1-9]\d*)(?:\.\d+)?$", r"\.0+$"
"""How a number is written that is no code, and what may follow one that is whole."""
MOST = 20


def kind(dtype: pl.DataType) -> str:
    """Return the kind of names that values of this type are."""
    if dtype == pl.Boolean:
        return "bool"
    return "int" if dtype.is_integer() else "float" if dtype.is_float() else TEXT


def values(symbols: Sequence[str], kind: str) -> list[Any]:
    """Return names as what they were in training."""
    return [KINDS[kind](symbol) for symbol in symbols]


def texts(found: pl.Series) -> pl.Series:
    """Return values as names."""
    if found.dtype.is_temporal():
        return fields.moments(found)
    same = found.set(found == 0, 0.0) if found.dtype.is_float() else found  # -0.0 is 0.0
    return same.cast(pl.String)


def collected(found: pl.Series) -> tuple[list[str], str]:
    """Return the different names of values in rising order, and their kind; not-a-number and infinity are none.

    Of texts that are equal numbers the shortest is the name.
    """
    filled = found.drop_nulls()
    filled = filled.filter(filled.is_finite()) if filled.dtype.is_float() else filled
    ordered = filled.unique().sort() if kind(filled.dtype) != TEXT else texts(filled).unique().sort()
    symbols = texts(ordered)
    if kind(filled.dtype) == TEXT and _are_numbers(symbols):
        symbols = symbols.filter(_whole(symbols).is_first_distinct())
    return symbols.to_list(), kind(filled.dtype)


def check_few(column: Column, symbols: Sequence[str], count: int, noun: str) -> None:
    """Raise DataError where there are too many names in so many rows or time steps for each to mean much."""
    if len(symbols) > max(MOST, count // 2):
        raise DataError(
            f"{column.source}: column {column.name!r} has {len(symbols):,} different values in {count:,} {noun}; "
            "name a column of labels with --output"
        )


def numbers(found: pl.Series, symbols: Sequence[str], of: str) -> pl.Series:
    """Return the number of each value among names of the kind `of`, null where it is none of them.

    As in Python equal numbers are one name: 1, 1.0 and True; among numbers also "1" and "1.0", as a csv has them.
    """
    same, known = _places(texts(found), symbols), pl.Series(symbols, dtype=pl.String)
    if same.has_nulls() and kind(found.dtype) == of == TEXT and _are_numbers(known):
        return same.fill_null(_places(_whole(texts(found)), _whole(known)))
    if kind(found.dtype) == of or not same.has_nulls():
        return same
    worth = pl.Series(values(symbols, of)).cast(pl.Float64, strict=False)
    equal = {number: k for k, number in enumerate(worth) if number is not None}
    alike = found.cast(pl.Float64, strict=False).replace_strict(equal, default=None, return_dtype=pl.Int32)
    return same.fill_null(alike)


def _places(found: pl.Series, symbols: Sequence[str] | pl.Series) -> pl.Series:
    return found.replace_strict(symbols, range(len(symbols)), default=None, return_dtype=pl.Int32)


def _are_numbers(texts: pl.Series) -> bool:
    """Whether all texts are written as numbers are: of "01" and "1" none is, as they are codes."""
    return bool(texts.str.contains(NUMBER).all())


def _whole(texts: pl.Series) -> pl.Series:
    """Texts of numbers with those that are whole written as such."""
    return texts.str.replace(ZEROS, "")


def unseen(value: Any, known: Sequence[Any]) -> str:
    """Say of a value why it is none of the names that are known."""
    if isinstance(value, float) and not math.isfinite(value):
        return "which is no label; fill it in, or remove the row"
    return f"which training has never seen; there {said(known)}"


def said(known: Sequence[Any]) -> str:
    """Return "was 'a'" or "were 'a', 'b' and 7 more"."""
    return f"{'were' if len(known) > 1 else 'was'} {listed(known)}"
