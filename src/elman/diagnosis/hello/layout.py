"""Headings, prose, equations and tables for a terminal of 80 to 100 columns; knows no network and no number."""

import re
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike
from rich import box
from rich.console import Group
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from elman.diagnosis.hello.comparison import Comparison

SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def heading(title: str) -> Group:
    """A line across the screen with the section's name."""
    return Group("", Rule(Text(title, style="bold"), align="left", style="dim"), "")


def prose(text: str) -> Padding:
    """A paragraph, wrapped, with a blank line below."""
    return Padding(Text(text), (0, 0, 1, 0))


def equations(*lines: tuple[str, str]) -> Padding:
    """Equations, each with what it means, indented, with a blank line below."""
    grid = Table.grid(padding=(0, 3))
    for equation, meaning in lines:
        grid.add_row(Text(equation, style="bold", no_wrap=True), Text(meaning, style="dim"))
    return Padding(grid, (0, 0, 1, 4))


def booktabs(*columns: str, words: Iterable[int] = (0,)) -> Table:
    """A table with rules above, below and between its parts; columns are right-aligned but for those in `words`."""
    table = Table(box=box.HORIZONTALS, border_style="dim", header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    for place, column in enumerate(columns):
        table.add_column(column, justify="left" if place in set(words) else "right", no_wrap=True)
    return table


def numbers(values: ArrayLike, decimals: int, *, sign: bool = False) -> list[str]:
    """Each value with so many decimals; zero stays "0" where signs are shown."""
    pattern = f"{'+' if sign else ''}.{decimals}f"
    return ["0" if sign and value == 0 else format(value, pattern) for value in np.ravel(values)]


def subscripts(text: str) -> str:
    """Set the digits that follow an underscore as subscripts: "h_1" becomes "h₁"."""
    return re.sub(r"_(\d)", lambda found: found[1].translate(SUBSCRIPTS), text)


def closeness(gap: float) -> str:
    """Say how near two results are: "exactly", or within which power of ten."""
    return f"within {gap:.0e}" if gap else "exactly"


def verdict(*comparisons: Comparison) -> Text:
    """Say "equal" in green, or by how much it is not, in red."""
    if all(comparison.equal for comparison in comparisons):
        return Text("equal", style="green")
    gap = max(comparison.difference for comparison in comparisons)
    return Text(f"differs by {gap:.1e}", style="bold red")
