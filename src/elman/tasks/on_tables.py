"""What tasks on tables share: a row is an example, one column is read, one or more are answered.

A task says which modalities stand for its columns; from files to encoded rows and batches everything is here. It does
not know the network, nor what answers are worth.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

from elman import cells
from elman.cells import title
from elman.data import folders, standard_input, tables
from elman.data.buckets import Buckets
from elman.data.steps import StepLayout, StepTable
from elman.data.tables import Column, Source, Table
from elman.errors import DataError, ElmanError, UsageError
from elman.modalities.base import Answer, Input, Modality, Output
from elman.names import listed
from elman.tasks import roles, together
from elman.tasks.base import Files, Material, Task
from elman.tasks.prepared import PreparedExamples, divided
from elman.tasks.roles import Roles
from elman.training.examples import Learning
from elman.training.options import TrainingOptions, option

BATCH, UPDATES = 32, 60
"""Rows in a batch, and how many updates an epoch should have: few rows are learnt from in smaller batches."""


@dataclass(frozen=True, kw_only=True)
class ColumnOptions(TrainingOptions):
    """Which column is what."""

    input: list[str] | None = option(None, "column to read (default: found by its content)")
    output: list[str] | None = option(None, "column to answer (default: found by its content)")


@dataclass(frozen=True, kw_only=True)
class RowOptions(TrainingOptions):
    """How rows are learnt from, and by which network."""

    held_out: float = option(
        0.1, "share of the rows held out where --valid is not given", minimum=0.001, maximum=0.5, anew=True
    )
    batch: int | None = option(None, "rows in a batch (default: 32, fewer where rows are few)", minimum=1, anew=True)
    cell: str = option("lstm", "recurrent cell: one that `elman cells` lists, or your own as module:Class")
    hidden: int = option(128, "hidden units per layer and direction", minimum=1)
    layers: int = option(1, "recurrent layers", minimum=1)

    def check(self) -> None:
        """The cell must exist."""
        cells.find(self.cell)

    def batch_size(self, rows: int) -> int:
        """Rows in a batch, of so many to learn from."""
        return self.batch or min(BATCH, max(1, rows // UPDATES))


@dataclass(frozen=True, kw_only=True)
class TableOptions(RowOptions, ColumnOptions):
    """What tasks on tables share."""


class TableTask(Task):
    """A task on tables: abstract.

    Attributes:
        inputs: the kinds of column that can be read, those that tell most first.
        answers: the kinds that can be answered.
        answer_names: what the column that is answered is usually called.
        modalities: all that may stand for a column.
        learning: how its networks learn from examples.
        free: whether what is answered are free texts, not labels or tags.
    """

    data = f"a table ({tables.ENDINGS}) with a row per example"
    held_out = "a tenth of the rows, drawn at random"
    inputs: ClassVar[tuple[str, ...]]
    answers: ClassVar[tuple[str, ...]]
    answer_names: ClassVar[tuple[str, ...]] = roles.LABELS
    modalities: ClassVar[tuple[type[Modality], ...]]
    learning: ClassVar[Learning]
    free: ClassVar[bool] = False

    @abstractmethod
    def fit(self, input: Column, outputs: list[Column], options: Any) -> tuple[Input, Sequence[Answer]]:
        """Fit the modalities on the rows to learn from, but for labels and tags: these are of all rows of the file."""

    def only(self, outputs: list[Column]) -> Column:
        """Return the one column that is written; UsageError where there are several."""
        if len(outputs) > 1:
            names = ", ".join(repr(column.name) for column in outputs)
            raise UsageError(f"--output names {len(outputs)} columns, {names}; {self.name} writes one text")
        return outputs[0]

    def describe(self, options: Any) -> dict[str, Any]:
        """Say cell, layers and sizes."""
        o, plural = options, "s" if options.layers > 1 else ""
        both, each_way = ("bidirectional ", " each way") if getattr(o, "bidirectional", False) else ("", "")
        return {"summary": f"{both}{title(o.cell)}, {o.layers} layer{plural} of {o.hidden} hidden units{each_way}"}

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

    def opened(self, table: Table, options: Any, held_out: float | None) -> tuple[Table, Roles]:
        """Return the training table with a row per example, and its columns' roles; a share of it may be held out."""
        del held_out
        return table, self.roles(table, options)

    def prepare(
        self, files: Files, options: Any, folder: Path, known: PreparedExamples | None = None
    ) -> PreparedExamples:
        """Read and check the tables, hold rows out if none are given for that, fit, and keep all parts in `folder`."""
        held_out = options.held_out if files.valid is None else None
        table = folders.read(files.train)
        if known is None:
            table, found = self.opened(table, options, held_out)
        else:
            table, found = known.table(table), Roles(known.input_name, tuple(known.outputs), ())
        input, outputs = table.column(found.input), [table.column(name) for name in found.outputs]
        parts = divided(table, held_out, options.seed, input, outputs)
        if known is None:
            learnt = [parts["train"].column(name) for name in found.outputs] if self.free else outputs
            fitted, answers = self.fit(parts["train"].column(found.input), learnt, options)
            answered = dict(zip(found.outputs, answers, strict=True))
        else:
            fitted = known.input.extended(parts["train"].column(found.input))
            answered = {column.name: known.outputs[column.name].extended(column) for column in outputs}
        news = [] if known is None else [_news(known.outputs[name], answer) for name, answer in answered.items()]
        prepared = PreparedExamples(
            (found.input, fitted),
            answered,
            {},
            {},
            (*found.notes, *self.notes(), *chain(*news)),
            self.beside(options),
            table.layout if isinstance(table, StepTable) else None,
        )
        for part, own in parts.items():
            prepared.add(part, own, files.train, folder)
        for part, file in files.held_out.items():
            prepared.add(part, prepared.table(folders.read(file)), file, folder)
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
            steps=StepLayout(**described["steps"]) if described.get("steps") else None,
        )

    def fingerprint(self, file: Source, fact: dict[str, Any]) -> str:
        """The file's own, the folder's, or that of rows in memory."""
        del fact
        return folders.fingerprint(file)

    def material(self, prepared: PreparedExamples, options: Any) -> Material:
        """Full back-propagation through time over batches of rows of similar length."""
        train, valid = prepared.examples("train"), prepared.examples("valid")
        return Material(
            Buckets(train.batch, train.sizes, options.batch_size(len(train)), options.seed),
            lambda network, batch, _: self.learning.objective(network, batch),  # nothing is carried on
            lambda network: self.learning.mean_loss(network, valid),
        )

    def extend(self, prepared: PreparedExamples, part: str, file: Source, folder: Path) -> PreparedExamples:
        """Read a further table with the run's columns."""
        input, facts = (prepared.input_name, prepared.input), dict(prepared.facts)
        beside, steps = prepared.beside, prepared.steps
        more = PreparedExamples(input, prepared.outputs, facts, prepared.places, beside=beside, steps=steps)
        more.add(part, prepared.table(folders.read(file)), file, folder)
        return more

    def rows(self, prepared: PreparedExamples, data: Path | None) -> Table:
        """Read a table, or standard input: JSON lines, or a text in each line; or what the input finds at `data`."""
        if data is None:
            return standard_input.read(prepared.columns["read"][-1])
        try:
            found = prepared.input.found_at(data)
        except DataError:
            if not folders.holds_labels(data):
                raise
            found = None
        if found is None:
            return folders.read(data)
        return tables.from_rows([{prepared.input_name: value} for value in found], source="")

    def row_by_row(self, prepared: PreparedExamples) -> bool:
        """One for each row; of a row per time step only where these are answered."""
        return prepared.steps is None or bool(prepared.steps.tags)

    def predict_in_blocks(
        self, network: Any, prepared: PreparedExamples, rows: Any, onerror: Callable[[DataError], None] | None
    ) -> Iterator[list[dict[str, Any]]]:
        """Answer some rows, or series, after the other; but for files that they name, all are checked before."""
        table = _asked(prepared, rows)
        column, tell = table.column(prepared.input_name), partial(self.tell, network, prepared)
        if not prepared.reads_files:
            for block in together.columns(column):
                prepared.input.check(block)
        if onerror is None or not prepared.reads_files:
            yield from table.told(map(tell, together.columns(column)))
        else:
            yield from together.answer_each(tell, together.columns(column), onerror)

    @abstractmethod
    def tell(self, network: Any, prepared: PreparedExamples, column: Column) -> list[dict[str, Any]]:
        """Return for every row of the input's column what was read, the answers, and how probable they are, by name."""

    def predict(self, network: Any, prepared: PreparedExamples, rows: Table | list[Any]) -> list[dict[str, Any]]:
        """Return for every row what `tell` says of it; of a row per time step beside the row's own columns."""
        table = _asked(prepared, rows)
        return _told(table, self.tell(network, prepared, table.column(prepared.input_name)))

    def predict_each(
        self, network: Any, prepared: PreparedExamples, requests: Sequence[list[Any]]
    ) -> list[list[dict[str, Any]] | ElmanError]:
        """Answer the rows of several callers as one batch."""
        asked = [together.attempt(_asked, prepared, rows) for rows in requests]
        columns = [each if isinstance(each, ElmanError) else each.column(prepared.input_name) for each in asked]
        found = together.answer_together(partial(self.tell, network, prepared), columns)
        return [each if isinstance(each, ElmanError) else _told(asked[k], each) for k, each in enumerate(found)]

    def batch_rows(self, prepared: PreparedExamples, rows: list[Any]) -> int:
        """One each, or of a row per time step one for each series."""
        return len(rows) if prepared.steps is None else prepared.steps.count(rows)

    def _load(self, described: dict[str, Any]) -> Any:
        found = {modality.name: modality for modality in self.modalities}
        return found[described["modality"]].from_dict(described)


def _asked(prepared: PreparedExamples, rows: Table | list[Any]) -> Table:
    """Return rows given in Python, or a table, as one that has the run's input."""
    if not isinstance(rows, Table):
        named = prepared.steps is None  # else a row is a time step, which only its columns' names tell apart
        rows = [{prepared.input_name: row} if named and not isinstance(row, dict) else row for row in rows]
        rows = tables.from_rows(rows)
    table = prepared.table(rows, answered=False)
    table.column(prepared.input_name)
    return table


def _told(table: Table, answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Answers to all rows, in the form that the table has."""
    return [*chain.from_iterable(table.told([answers]))]


def _news(before: Answer, now: Answer) -> tuple[str, ...]:
    """What to say of labels that a pretrained network does not know yet."""
    if not isinstance(before, Output) or not isinstance(now, Output) or len(now.symbols) == len(before.symbols):
        return ()
    added = now.values[len(before.symbols) :]
    return (f"New to the pretrained network: the {'tags' if now.stepwise else 'labels'} {listed(added)}.",)
