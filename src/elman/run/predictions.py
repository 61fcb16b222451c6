"""What a network answers to a file: row by row, and beside the columns of the table that was asked.

It does not know how answers come about.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from elman.data import tables
from elman.data.tables import Table

BEFORE = "predicted_"
"""What the name of an answer begins with where the table has a column of its own name, such as the true label."""


@dataclass(frozen=True)
class Predictions:
    """Answers.

    Attributes:
        rows: by column name, as `run.predict` gives them.
        asked: the table with a row for each of them; None where the answers are rows of their own, such as those of a
            forecast.
        answered: the names of the columns that are answered.
    """

    rows: list[dict[str, Any]]
    asked: Table | None = None
    answered: Sequence[str] = ()

    @cached_property
    def names(self) -> dict[str, str]:
        """What each column that is predicted is called in `table`, by its name in `rows`.

        An answer and what goes with it, as `label` and `label_probability`, get another name where the table has a
        column of the name of either: `predicted_label`, or `predicted_label_2`.
        """
        if self.asked is None:
            return {}
        found: dict[str, str] = {}
        taken = set(self.asked.names)
        for name, group in self._groups().items():
            free = _free(name, [key.removeprefix(name) for key in group], taken)
            found |= {key: free + key.removeprefix(name) for key in group}
            taken |= set(found.values())
        return found

    @property
    def renamed(self) -> dict[str, str]:
        """The answers that have another name in `table`, by their own."""
        return {name: self.names[name] for name in self.answered if self.names.get(name, name) != name}

    def table(self, path: Path | None = None) -> pl.DataFrame:
        """Return all columns of the table that was asked as they were, and after them those that are predicted.

        With a path, such that what is written there can be read again: in a csv lists are JSON.
        """
        found = tables.frame(self.rows)
        if self.asked is None:
            return found
        asked = self.asked.frame if path is None else tables.readable(path, self.asked.frame)
        return asked.hstack(found.select(pl.col(k).alias(n) for k, n in self.names.items()))

    def write(self, path: Path) -> Path:
        """Write the table, whole or not at all, in the format that the file's ending names."""
        return tables.write(path, self.table(path))

    def _groups(self) -> dict[str, list[str]]:
        """The columns that are predicted, by the answer that they go with."""
        groups: dict[str, list[str]] = {}
        for key in self.rows[0] if self.rows else ():
            if key in self.answered:
                groups[key] = [key]
            elif owners := [name for name in groups if key.startswith(f"{name}_")]:
                groups[max(owners, key=len)].append(key)
        return groups


class Gathered:
    """The tables of predictions that come block by block, kept as columns until all are there and can be written.

    Columns take a tenth of the memory of rows, and may turn out to hold another type than their first block shows.

    Args:
        path: where the whole is written.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.renamed = path, dict[str, str]()
        self._blocks: list[pl.DataFrame] = []

    def __len__(self) -> int:
        """How many rows there are."""
        return sum(map(len, self._blocks))

    def add(self, block: Predictions) -> None:
        """Add rows behind those that are there."""
        self._blocks.append(block.table(self.path))
        self.renamed = block.renamed

    def write(self) -> Path:
        """Write the table, whole or not at all, in the format that the file's ending names."""
        whole = pl.concat(self._blocks, how="vertical_relaxed") if self._blocks else pl.DataFrame()
        return tables.write(self.path, whole)


def _free(name: str, ends: Sequence[str], taken: set[str]) -> str:
    """The name, or the first like it that is free with all ends."""
    free, number = name, 1
    while any(free + end in taken for end in ends):
        free = f"{BEFORE}{name}" + (f"_{number}" if number > 1 else "")
        number += 1
    return free
