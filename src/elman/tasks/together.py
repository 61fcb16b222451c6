"""Rows of several callers answered as one batch, each caller's as if they had come alone; or those that can be read.

It knows columns of tables and a function that answers them; what the answers are, it does not know.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from elman.data import tables
from elman.data.tables import Column
from elman.errors import DataError, ElmanError

Rows = list[dict[str, Any]]


def attempt(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a function returns, or the ElmanError that it raises."""
    try:
        return function(*arguments)
    except ElmanError as error:
        return error


def answer_together(
    predict: Callable[[Column], Rows], columns: Sequence[Column | ElmanError]
) -> list[Rows | ElmanError]:
    """Return the answers to each column; what is an error already stays one.

    Columns of one type are answered as one. Where that fails, each is answered by itself, so that what is wrong with
    one disturbs no other.
    """
    found: list[Any] = list(columns)
    for places in _of_one_type(columns).values():
        group: list[Any] = [columns[k] for k in places]
        answers = attempt(predict, tables.joined(group))
        if isinstance(answers, ElmanError):
            alone: list[Any] = [answers] if len(group) == 1 else [attempt(predict, column) for column in group]
        else:
            alone = [*parted(answers, [len(column) for column in group])]
        for place, each in zip(places, alone, strict=True):
            found[place] = each
    return found


def answer_readable(predict: Callable[[Column], Rows], column: Column) -> list[dict[str, Any] | DataError]:
    """Return for each row its answer, or what is wrong with the row: halves are tried where the whole cannot be read.

    So one file among a thousand that cannot be read costs ten attempts.
    """
    try:
        return [*predict(column)]
    except DataError as error:
        if len(column) == 1:
            return [error]
    halves = np.array_split(np.arange(len(column)), 2)
    return [answer for half in halves for answer in answer_readable(predict, column.take(half))]


def parted(answers: Rows, counts: Sequence[int]) -> list[Rows]:
    """Cut a list into parts of these lengths."""
    rest = iter(answers)
    return [[next(rest) for _ in range(count)] for count in counts]


def _of_one_type(columns: Sequence[Column | ElmanError]) -> dict[Any, list[int]]:
    """The places of the columns by what they hold."""
    groups: dict[Any, list[int]] = {}
    for place, column in enumerate(columns):
        if isinstance(column, Column):
            groups.setdefault(column.values.dtype, []).append(place)
    return groups
