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
from elman.data import parts, tables
from elman.data.ragged import Integers
from elman.data.tables import Column, Table
from elman.errors import DataError, RunError
from elman.modalities.base import Answer, Encoded, Input, Output
from elman.tasks.base import Files, Prepared
from elman.training.examples import Examples

SMALLEST = 20
ROW, COLUMN = "row", "column "
"""How the columns of a part are named in a run folder: the row's number in its file, and after COLUMN the table's."""


class PreparedExamples(Prepared):
    """Tables with their fitted modalities; the parts lie in a folder and are encoded when they are needed.

    Attributes:
        outputs: what stands for each column that is answered, by name: an Answer of the task's modalities.
        beside: further columns, kept in the parts whose table has them.
    """

    noun = "rows"

    def __init__(
        self,
        input: tuple[str, Input],
        outputs: Mapping[str, Answer],
        facts: dict[str, dict[str, Any]],
        places: Mapping[str, Path],
        notes: tuple[str, ...] = (),
        beside: tuple[str, ...] = (),
    ) -> None:
        self.input_name, self.input = input
        self.outputs: dict[str, Any] = dict(outputs)
        self.facts, self.places, self.notes, self.beside = facts, dict(places), notes, beside
        self._examples: dict[str, Examples] = {}

    @property
    def columns(self) -> dict[str, list[str]]:
        """The input, and the outputs."""
        return {"read": [self.input_name], "answered": list(self.outputs)}

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
        return [*self.names, *(name for name in self.beside if name in table.names)]

    def beside_of(self, part: str) -> list[str]:
        """The names of those columns that a part has beside input and outputs."""
        kept = pl.read_parquet_schema(self.places[part])
        return [name for name in self.beside if COLUMN + name in kept]

    @property
    def shown(self) -> str:
        """The part that a report tells about: the test part, if there is one."""
        return "test" if "test" in self.facts else "valid"

    @cached_property
    def fitted(self) -> dict[str, Any]:
        """Baselines that were fitted on the training part, so that each is fitted once."""
        return {}

    def column(self, part: str, name: str) -> Column:
        """Return a column of a part; RunError where it is gone from the folder."""
        place = self.places[part]
        try:
            frame = pl.read_parquet(place, columns=[ROW, COLUMN + name], memory_map=False)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise RunError(f"{place} cannot be read; restore it, or train the run anew") from error
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

    def add(self, part: str, columns: Mapping[str, Column], file: Path, folder: Path) -> None:
        """Check and encode a part, and keep its rows in `folder`."""
        place = folder / f"{part}.parquet"
        self._examples[part] = made = self.encode(columns, self.input.keep(columns[self.input_name], place))
        row = pl.Series(ROW, columns[self.input_name].rows)
        frame = pl.DataFrame([row, *(column.values.alias(COLUMN + name) for name, column in columns.items())])
        self.places[part] = tables.write(place, frame)
        facts = {"path": assets.name(file), "sha256": tables.fingerprint(file), "rows": len(made)}
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
        }


def divided(
    table: Table, held_out: float | None, seed: int, input: Column, outputs: list[Column]
) -> dict[str, Integers | None]:
    """Return the rows of the training file to learn from and, where a share is held out, those held out; None is all.

    Every label is held out by its share; rows that name the same file are held out together. Raises DataError where
    there are too few rows.
    """
    if len(table) < SMALLEST:
        beside = " and hold some out" if held_out else ""
        count = f"{len(table)} row{'s' * (len(table) != 1)}"
        raise DataError(f"{table.source} has only {count}, too few to learn from{beside}; give a few hundred")
    if held_out is None:
        return {"train": None}
    if input.kind in tables.FILES and input.values.n_unique() < len(table):
        if input.values.n_unique() == 1:
            raise DataError(
                f"{table.source}: all rows of column {input.name!r} name one file, and rows of a file are held out "
                "together; give other files too, or --valid"
            )
        name = input.values.rank("dense").fill_null(0).to_numpy()
        train, valid = parts.split(int(name.max()) + 1, held_out, seed)
        return {"train": np.flatnonzero(np.isin(name, train)), "valid": np.flatnonzero(np.isin(name, valid))}
    train, valid = parts.split(len(table), held_out, seed, _groups(outputs))
    return {"train": train, "valid": valid}


def others(files: Files) -> dict[str, Path]:
    """The files beside the training file."""
    return {part: file for part, file in (("valid", files.valid), ("test", files.test)) if file is not None}


def _groups(outputs: list[Column]) -> Integers | None:
    """A number for each row's label, by the first column of labels: one of texts or numbers that often repeat."""
    for column in outputs:
        if column.kind in ("text", "number") and column.values.n_unique() <= len(column) // 2:
            numbers = column.values.cast(pl.String).fill_null("").rank("dense").to_numpy()
            return numbers.astype(np.int64)
    return None


def _check_equal(input: Column, output: Column, steps: Integers, answers: Integers) -> None:
    """Raise DataError at the first row that has not one answer for each time step."""
    if len(wrong := np.flatnonzero(steps != answers)):
        index = int(wrong[0])
        raise output.error(
            index, f"has {answers[index]} items, but {input.name!r} has {steps[index]}; give one for each"
        )
