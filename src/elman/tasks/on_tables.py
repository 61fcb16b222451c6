"""What tasks on tables share: a row is an example, one column is read, one or more are answered.

A task says which modalities stand for its columns; from files to encoded rows and batches everything is here. It does
not know the network, nor what answers are worth.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from torch import nn

from elman import cells
from elman.data import tables
from elman.data.ragged import Integers
from elman.data.tables import Column, Table
from elman.errors import ElmanError
from elman.modalities.base import Answer, Input, Modality
from elman.tasks import roles
from elman.tasks.base import Files, Task
from elman.tasks.prepared import PreparedExamples, divided, others
from elman.tasks.roles import Roles
from elman.tasks.together import answer_together, attempt
from elman.training.examples import ExampleBatches, Learning
from elman.training.loop import Job, Monitor
from elman.training.options import TrainingOptions, option

BATCH, UPDATES = 32, 60
"""Rows in a batch, and how many updates an epoch should have: few rows are learnt from in smaller batches."""


@dataclass(frozen=True, kw_only=True)
class TableOptions(TrainingOptions):
    """What tasks on tables share."""

    input: list[str] | None = option(None, "column to read (default: found by its content)")
    output: list[str] | None = option(None, "column to answer (default: found by its content)")
    held_out: float = option(0.1, "share of the rows held out where --valid is not given", minimum=0.001, maximum=0.5)
    batch: int | None = option(None, "rows in a batch (default: 32, fewer where rows are few)", minimum=1)
    cell: str = option("lstm", "recurrent cell; `elman cells` lists them")
    hidden: int = option(128, "hidden units per layer and direction", minimum=1)
    layers: int = option(1, "recurrent layers", minimum=1)

    def check(self) -> None:
        """The cell must exist."""
        cells.find(self.cell)

    def batch_size(self, rows: int) -> int:
        """Rows in a batch, of so many to learn from."""
        return self.batch or min(BATCH, max(1, rows // UPDATES))


class TableTask(Task):
    """A task on tables: abstract.

    Attributes:
        inputs: the kinds of column that can be read, those that tell most first.
        answers: the kinds that can be answered.
        answer_names: what the column that is answered is usually called.
        modalities: all that may stand for a column.
        learning: how its networks learn from examples.
    """

    data = f"a table ({tables.ENDINGS}) with a row per example"
    held_out = "a tenth of the rows, drawn at random"
    inputs: ClassVar[tuple[str, ...]]
    answers: ClassVar[tuple[str, ...]]
    answer_names: ClassVar[tuple[str, ...]] = roles.LABELS
    modalities: ClassVar[tuple[type[Modality], ...]]
    learning: ClassVar[Learning]

    @abstractmethod
    def fit(self, input: Column, outputs: list[Column], options: Any) -> tuple[Input, Sequence[Answer]]:
        """Fit the modalities: the input's on the rows to learn from, those of the outputs on all rows of the file."""

    def beside(self, options: Any) -> tuple[str, ...]:
        """Columns that are kept beside input and outputs in those tables that have them."""
        del options
        return ()

    def notes(self) -> tuple[str, ...]:
        """What the user should know before training."""
        return ()

    def roles(self, table: Table, options: Any) -> Roles:
        """Settle which column is read and which are answered."""
        kinds = (self.inputs, self.answers)
        return roles.find(table, options.input or (), options.output or (), *kinds, self.answer_names)

    def prepare(self, files: Files, options: Any, folder: Path) -> PreparedExamples:
        """Read and check the tables, hold rows out if none are given for that, fit, and keep all parts in `folder`."""
        table = tables.read(files.train)
        found = self.roles(table, options)
        input, outputs = table.column(found.input), [table.column(name) for name in found.outputs]
        held_out = options.held_out if files.valid is None else None
        chosen = divided(table, held_out, options.seed, input, outputs)
        fitted, answers = self.fit(_some(input, chosen["train"]), outputs, options)
        notes = (*((found.note,) if found.note else ()), *self.notes())
        answered = dict(zip(found.outputs, answers, strict=True))
        prepared = PreparedExamples((found.input, fitted), answered, {}, {}, notes, self.beside(options))
        for part, rows in chosen.items():
            columns = {name: _some(table.column(name), rows) for name in prepared.columns_of(table)}
            prepared.add(part, columns, files.train, folder)
        for part, file in others(files).items():
            self._add(prepared, part, file, folder)
        return prepared

    def load(self, described: dict[str, Any], facts: dict[str, dict[str, Any]], folder: Path) -> PreparedExamples:
        """Return the fitted modalities; the parts are read when they are needed."""
        input, outputs = described["input"], described["outputs"]
        return PreparedExamples(
            (input["column"], self._load(input)),
            {output["column"]: self._load(output) for output in outputs},
            facts,
            {part: folder / f"{part}.parquet" for part in facts},
            beside=tuple(described.get("beside", ())),
        )

    def fingerprint(self, file: Path, fact: dict[str, Any]) -> str:
        """The file's own."""
        del fact
        return tables.fingerprint(file)

    def job(
        self,
        network: nn.Module,
        prepared: PreparedExamples,
        options: Any,
        folder: Path,
        monitor: Monitor,
        *,
        resume: bool,
    ) -> Job:
        """Full back-propagation through time over batches of rows of similar length."""
        train, valid = prepared.examples("train"), prepared.examples("valid")
        return Job(
            module=network,
            batches=ExampleBatches(train, options.batch_size(len(train)), options.seed),
            objective=self.learning.objective,
            validate=lambda network: self.learning.mean_loss(network, valid),
            options=options,
            model_file=folder / "model.safetensors",
            checkpoint_file=folder / "state" / "checkpoint.safetensors",
            monitor=monitor,
            resume=resume,
        )

    def extend(self, prepared: PreparedExamples, part: str, file: Path, folder: Path) -> PreparedExamples:
        """Read a further table with the run's columns."""
        input, facts = (prepared.input_name, prepared.input), dict(prepared.facts)
        more = PreparedExamples(input, prepared.outputs, facts, prepared.places, beside=prepared.beside)
        self._add(more, part, file, folder)
        return more

    def rows(self, prepared: PreparedExamples, data: Path | None) -> Table:
        """Read a table, or standard input: JSON lines, or a text in each line; or what the input finds at `data`."""
        if data is None:
            return tables.from_stdin(prepared.input_name)
        found = prepared.input.found_at(data)
        if found is None:
            return tables.read(data)
        return tables.from_rows([{prepared.input_name: value} for value in found], data.name or str(data))

    def predict_each(
        self, network: Any, prepared: PreparedExamples, requests: Sequence[list[Any]]
    ) -> list[list[dict[str, Any]] | ElmanError]:
        """Answer the rows of several callers as one batch."""
        columns = [attempt(self.asked, prepared, rows) for rows in requests]
        return answer_together(partial(self.predict, network, prepared), columns)

    def asked(self, prepared: PreparedExamples, rows: Table | Column | list[Any]) -> Column:
        """Return the column to answer, of a table or of rows given in Python."""
        if isinstance(rows, Column):
            return rows
        if not isinstance(rows, Table):
            rows = tables.from_rows([row if isinstance(row, dict) else {prepared.input_name: row} for row in rows])
        return rows.column(prepared.input_name)

    def _add(self, prepared: PreparedExamples, part: str, file: Path, folder: Path) -> None:
        table = tables.read(file)
        prepared.add(part, {name: table.column(name) for name in prepared.columns_of(table)}, file, folder)

    def _load(self, described: dict[str, Any]) -> Any:
        found = {modality.name: modality for modality in self.modalities}
        return found[described["modality"]].from_dict(described)


def _some(column: Column, rows: Integers | None) -> Column:
    return column if rows is None else column.take(rows)
