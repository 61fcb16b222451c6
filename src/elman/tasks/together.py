"""Rows answered as one batch for several callers, each as if alone; block by block; or those that can be read.

It knows columns of tables and a function that answers them; what the answers are, it does not know.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from elman.data import tables
from elman.data.tables import Column
from elman.errors import DataError, ElmanError

Rows = list[dict[str, Any]]

SMALLEST, LARGEST = 128, 1024
"""Rows of the first block that is answered, so that something is there soon, and of the largest."""
STEPS = 100
"""Time steps, each in a row of its own, that count like a row."""


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


def blocks(count: int) -> Iterator[range]:
    """Cut so many rows into blocks, each twice as large as the one before, up to `LARGEST`."""
    first, size = 0, SMALLEST
    while first < count:
        yield range(first, min(first + size, count))
        first, size = first + size, min(2 * size, LARGEST)


def columns(column: Column) -> Iterator[Column]:
    """Yield the column block by block; each row keeps its number. STEPS rows of a series count like one."""
    places = np.arange(len(column)) if column.steps is None else column.steps.starts[:-1] // STEPS
    for block in blocks(int(places.max(initial=-1)) + 1):
        if len(rows := np.arange(*np.searchsorted(places, (block.start, block.stop)))):
            yield column.take(rows)


def answer_each(
    predict: Callable[[Column], Rows], columns: Iterable[Column], onerror: Callable[[DataError], None]
) -> Iterator[Rows]:
    """Yield the answers to each column, with Nones for a row that cannot be read, of which `onerror` is told.

    Until the first row that can be read, of which the names of the answers are, columns wait.

    Raises:
        DataError: if no row can be read.

    """
    waiting: list[tuple[Column, list[dict[str, Any] | DataError]]] = []
    empty: dict[str, Any] = {}
    for column in columns:
        waiting.append((column, answer_readable(predict, column)))
        empty = empty or dict.fromkeys(next((a for a in waiting[-1][1] if not isinstance(a, DataError)), ()))
        for asked, found in waiting if empty else ():
            for error in found:
                if isinstance(error, DataError):
                    onerror(error)
            yield [
                empty | {asked.name: value} if isinstance(answer, DataError) else answer
                for value, answer in zip(asked.values.to_list(), found, strict=True)
            ]
        if empty:
            waiting.clear()
    if waiting:
        first, *more = (error for _, found in waiting for error in found)
        raise DataError(f"{first}" + f"; nor can {'any of ' * (len(more) > 1)}the other {len(more)}" * bool(more))


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
