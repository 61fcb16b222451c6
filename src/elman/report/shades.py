"""Rows of digits as cells of a picture: SVG paths, one for each level, as `sections/` shade them.

It knows nothing of what the digits stand for, nor of colours.
"""

import itertools
from collections.abc import Iterator, Sequence

LEVELS = "123456789"
"""From faint to strong; 0 is left white."""


def shades(rows: Sequence[str]) -> list[tuple[float, str]]:
    """The strength of each level that there is, from 0 to 1, and the path of its cells; the first row lies on top."""
    paths = dict.fromkeys(LEVELS, "")
    for height, row in enumerate(rows):
        for level, place, width in _runs(row):
            if level in paths:
                paths[level] += f"M{place} {height}h{width}v1h-{width}z"
    return [(round(int(level) / 9, 2), path) for level, path in paths.items() if path]


def bars(rows: Sequence[str], size: float) -> str:
    """The path of bars where rows have a 1, `size` of a cell high, in the middle of its height."""
    return "".join(
        f"M{place} {height + (1 - size) / 2:.1f}h{width}v{size}h-{width}z"
        for height, row in enumerate(rows)
        for mark, place, width in _runs(row)
        if mark == "1"
    )


def _runs(digits: str) -> Iterator[tuple[str, int, int]]:
    """Neighbours of one digit: the digit, where they begin, how many there are."""
    place = 0
    for digit, group in itertools.groupby(digits):
        width = len(list(group))
        yield digit, place, width
        place += width
