"""Rows of several callers answered as one batch, each caller's as if they had come alone.

It knows columns of tables and a function that answers them; what the answers are, it does not know.
"""

from collections.abc import Callable, Sequence
from typing import Any

from elman.data import tables
from elman.data.tables import Column
from elman.errors import ElmanError

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
