"""How figures are written for people: columns picked from rows.

It does not know how they are printed or aligned.
"""

from collections.abc import Callable
from typing import Any

from elman.benchmarks.base import Row, Shape, Table

Column = tuple[str, Callable[[Row], str]]
"""A header, and the text of a row's cell."""

NOTHING = "-"
"""What stands where a contender took no part."""


def table(title: str, rows: list[Row], columns: list[Column]) -> Table:
    """The rows by columns, below their headers."""
    headers = tuple(header for header, _ in columns)
    return Table(title, [headers, *(tuple(text(row) for _, text in columns) for row in rows)])


def key(name: str, header: str | None = None) -> Column:
    """A key of the row, as it is."""
    return header or name, lambda row: str(row[name])


SHAPE: Column = ("B,T,I,H", lambda row: str(Shape(**row["shape"])))
BACKEND = key("backend")
GROUP = (key("group", "shapes"), key("shapes", "rows"))
"""Of a mean: the group of shapes that it is taken over, and of how many rows."""


def contenders(rows: list[Row]) -> list[str]:
    """All who took part in any of the rows."""
    return list(dict.fromkeys(name for row in rows for name in row["times"]))


def peers_of(rows: list[Row]) -> list[str]:
    """All peers that a ratio was taken to in any of the rows."""
    return list(dict.fromkeys(their for row in rows for theirs in row["ratios"].values() for their in theirs))


def milliseconds(name: str) -> Column:
    """The median time of a contender."""
    return f"{name} ms", lambda row: _scaled(row["times"].get(name), "median_ms", 1)


def microseconds(name: str) -> list[Column]:
    """The median time of a contender, and the 99th percentile of its calls."""
    return [
        (f"{name} µs", lambda row: _scaled(row["times"].get(name), "median_ms", 1e3)),
        ("p99", lambda row: _scaled(row["times"].get(name), "p99_of_calls_ms", 1e3)),
    ]


def times_faster(our: str, their: str, header: str) -> Column:
    """How many times less one of ours takes than a peer; of a mean, with the least of its rows in parentheses."""
    return header, lambda row: _factor(row["ratios"].get(our, {}).get(their))


def matmul_share(our: str) -> Column:
    """The rate of one of ours as a share of the matmul's."""
    return "of matmul", lambda row: percent(row["matmul_shares"][our])


def deviation(of: str | None = None, *, but: tuple[str, ...] = ()) -> Column:
    """The largest deviation of the answers of one contender, or of all but some."""

    def text(row: Row) -> str:
        return f"{max(off for name, off in row['deviations'].items() if of in {None, name} and name not in but):.0e}"

    return "deviation" if of is None else f"deviation of {of.removeprefix('elman ')}", text


DEVIATION = deviation()


def percent(value: float) -> str:
    """A share, in whole percent."""
    return f"{value:.0%}"


def significant(value: float) -> str:
    """Three digits that matter."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _scaled(summary: dict[str, Any] | None, key: str, scale: float) -> str:
    return NOTHING if summary is None else significant(summary[key] * scale)


def _factor(found: Any) -> str:
    if found is None:
        return NOTHING
    if isinstance(found, dict):
        return f"{found['mean']:.2f}x ({found['min']:.2f})"
    return f"{found:.2f}x"
