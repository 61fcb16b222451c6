"""Geometric means of ratios over the rows of one kind, with the worst of them beside.

It does not know what was measured.
"""

from collections.abc import Callable, Iterable
from statistics import geometric_mean

from elman.benchmarks.base import Row


def by_kind(rows: list[Row], kind: tuple[str, ...]) -> list[tuple[Row, list[Row]]]:
    """Gather the rows that agree in these keys: the keys and how many, and the rows, in the order of appearance."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in kind), []).append(row)
    return [(dict(zip(kind, key, strict=True)) | {"shapes": len(found)}, found) for key, found in groups.items()]


def mean_ratios(rows: list[Row], kind: tuple[str, ...]) -> list[Row]:
    """The mean of each entry of the rows' "ratios" and the least of them, for each kind of row."""
    return [
        described | {"ratios": _of_ratios([row["ratios"] for row in found])} for described, found in by_kind(rows, kind)
    ]


def mean_and(worst: Callable[[Iterable[float]], float], values: list[float]) -> Row:
    """The geometric mean, and the worst value under the name of the function that finds it."""
    return {"mean": geometric_mean(values), worst.__name__: worst(values)}


def _of_ratios(ratios: list[dict[str, dict[str, float]]]) -> Row:
    return {
        our: {their: mean_and(min, [row[our][their] for row in ratios]) for their in theirs}
        for our, theirs in ratios[0].items()
    }
