"""Tables that a task has read: which column is what, and the rows of each part, encoded when they are needed.

It does not know what the answers are worth.
"""

import copy
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl

from elman import assets
from elman.data import folders, parts, tables, videos
from elman.data.ragged import Integers
from elman.data.steps import StepLayout, StepTable
from elman.data.tables import Column, Source, Table
from elman.errors import DataError
from elman.modalities.base import Answer, Encoded, Input, Output
from elman.tasks.base import Prepared
from elman.training.examples import Examples

SMALLEST = 20
ROW, COLUMN = "row", "column "
"""How the columns of a part are named in a run folder: the row's number in its file, and after COLUMN the table's."""


class PreparedExamples(Prepared):
    """Tables with their fitted modalities; the parts lie in a folder and are encoded when they are needed.

    Attributes:
        outputs: what stands for each column that is answered, by name: an Answer of the task's modalities.
        beside: further columns, kept in the parts whose table has them.
        steps: which column is what, where tables have a row per time step; a row is a series here, all the same.
    """

    def __init__(
        self,
        input: tuple[str, Input],
        outputs: Mapping[str, Answer],
        facts: dict[str, dict[str, Any]],
        places: Mapping[str, Path],
        notes: tuple[str, ...] = (),
        beside: tuple[str, ...] = (),
        steps: StepLayout | None = None,
    ) -> None:
        self.input_name, self.input = input
        self.outputs: dict[str, Any] = dict(outputs)
        self.facts, self.places, self.notes, self.beside = facts, dict(places), notes, beside
        self.steps = steps
        self.noun = "rows" if steps is None else "windows" if steps.window else "series"
        self._examples: dict[str, Examples] = {}

    @property
    def columns(self) -> dict[str, list[str]]:
        """The input, and the outputs; of a row per time step all that is read."""
        read = [self.input_name] if self.steps is None else [*self.steps.beside, *self.steps.inputs]
        return {"read": read, "answered": list(self.outputs)}

    @property
    def reads_files(self) -> bool:
        """As the input's modality does."""
        return self.input.files

    @property
    def names(self) -> list[str]:
        """The names of all columns that play a part."""
        return [self.input_name, *self.outputs]

    def columns_of(self, table: Table) -> list[str]:
        """The names of the columns of a table that are kept."""
        apart = [self.steps.group] if self.steps and self.steps.group else []
        return [*self.names, *(name for name in self.beside if name in table.names), *apart]

    def beside_of(self, part: str) -> list[str]:
        """The names of those columns that a part has beside input and outputs."""
        kept = pl.read_parquet_schema(self.places[part])
        return [name for name in self.beside if COLUMN + name in kept]

    @cached_property
    def fitted(self) -> dict[str, Any]:
        """Baselines that were fitted on the training part, so that each is fitted once."""
        return {}

    def column(self, part: str, name: str) -> Column:
        """Return a column of a part; RunError where it is gone from the folder."""
        frame = tables.kept(self.places[part], [ROW, COLUMN + name])
        return Column(str(self.facts[part]["path"]), name, frame[COLUMN + name], frame[ROW].to_numpy())

    def examples(self, part: str) -> Examples:
        """Return a part, encoded."""
        if part not in self._examples:
            columns = {name: self.column(part, name) for name in self.names}
            kept = self.input.kept(columns[self.input_name], self.places[part])
            self._examples[part] = self.encode(columns, kept)
        return self._examples[part]

    def where(self, part: str, examples: Examples) -> Self:
        """Return the same with another form of a part's rows."""
        found = copy.copy(self)
        found._examples = self._examples | {part: examples}  # noqa: SLF001
        return found

    def table(self, table: Table, *, answered: bool = True) -> Table:
        """Return a table with a row per example, as it is or read as the run's layout says."""
        return table if self.steps is None else self.steps.read(table, answered=answered)

    def add(self, part: str, table: Table, file: Source, folder: Path) -> None:
        """Check and encode a part, and keep its rows in `folder`; what is learnt from may be windows of them."""
        counts = table.counts
        if part == "train" and isinstance(table, StepTable) and table.longer:
            table = table.windows()
            counts["windows"] = len(table)
        columns = {name: table.column(name) for name in self.columns_of(table)}
        place = folder / f"{part}.parquet"
        self._examples[part] = made = self.encode(columns, self.input.keep(columns[self.input_name], place))
        row = pl.Series(ROW, columns[self.input_name].rows)
        frame = pl.DataFrame([row, *(column.values.alias(COLUMN + name) for name, column in columns.items())])
        self.places[part] = tables.write(place, frame)
        facts = {"path": assets.name(file), "sha256": folders.fingerprint(file), **counts}
        self.facts[part] = facts | self.input.facts(made.inputs)

    def encode(self, columns: Mapping[str, Column], kept: Encoded | None = None) -> Examples:
        """Encode the input, unless it was kept encoded, and those outputs that are there."""
        inputs = self.input.encode(columns[self.input_name]) if kept is None else kept
        targets = {name: output.encode(columns[name]) for name, output in self.outputs.items() if name in columns}
        made = Examples(inputs, targets, {name: output.stepwise for name, output in self.outputs.items()})
        for name, encoded in targets.items():
            if isinstance(output := self.outputs[name], Output) and output.stepwise:
                _check_equal(columns[self.input_name], columns[name], made.lengths, encoded.lengths)
        return made

    def to_dict(self) -> dict[str, Any]:
        """Describe the columns' modalities."""
        return {
            "input": {"column": self.input_name, "modality": self.input.name, **self.input.to_dict()},
            "outputs": [{"column": n, "modality": o.name, **o.to_dict()} for n, o in self.outputs.items()],
            "beside": list(self.beside),
            "steps": None if self.steps is None else self.steps.__dict__,
        }


def divided(table: Table, held_out: float | None, seed: int, input: Column, outputs: list[Column]) -> dict[str, Table]:
    """Return the training table's rows to learn from and, where a share is held out, those held out.

    Every label is held out by its share; rows that name the same file are held out together, and so are the time steps
    of a series: only where there is a single one it is cut in time. Raises DataError where there are too few rows.
    """
    count, noun = table.amount
    if count < SMALLEST:
        beside = " and hold some out" if held_out else ""
        raise DataError(f"{table.source} has only {count} {noun}, too few to learn from{beside}; give a few hundred")
    if held_out is None:
        return {"train": table}
    if isinstance(table, StepTable) and len(table) == 1:
        train, valid = table.cut(held_out)
        return {"train": train, "valid": valid}
    learnt, held = _drawn(table, held_out, seed, input, outputs)
    return {"train": table.take(learnt), "valid": table.take(held)}


def _drawn(table: Table, held_out: float, seed: int, input: Column, outputs: list[Column]) -> tuple[Integers, Integers]:
    """The rows to learn from, and those held out."""
    if not _names_files(input) or input.keys.n_unique() == len(table):
        return parts.split(len(table), held_out, seed, _groups(outputs))
    if input.keys.n_unique() == 1:
        raise DataError(
            f"{table.source}: all rows of column {input.name!r} name one file, and rows of a file are held out "
            "together; give other files too, or --valid"
        )
    name = input.keys.rank("dense").fill_null(0).to_numpy()
    train, valid = parts.split(int(name.max()) + 1, held_out, seed)
    return np.flatnonzero(np.isin(name, train)), np.flatnonzero(np.isin(name, valid))


def _names_files(column: Column) -> bool:
    return column.kind in (*tables.FILES, videos.LISTS) or videos.are_folders(column)


def _groups(outputs: list[Column]) -> Integers | None:
    """A number for each row's label, by the first column of labels: one of texts or numbers that often repeat."""
    for column in outputs:
        if column.kind in ("text", "number", "times") and column.values.n_unique() <= len(column) // 2:
            numbers = column.values.to_physical().cast(pl.String).fill_null("").rank("dense").to_numpy()
            return numbers.astype(np.int64)
    return None


def _check_equal(input: Column, output: Column, steps: Integers, answers: Integers) -> None:
    """Raise DataError at the first row that has not one answer for each time step."""
    if len(wrong := np.flatnonzero(steps != answers)):
        index = int(wrong[0])
        raise output.error(
            index, f"has {answers[index]} items, but {input.name!r} has {steps[index]}; give one for each"
        )
