"""What tasks on tables share: a row is an example, one column is read, one or more are answered.

A task says which modalities stand for its columns, how they are scored and what they are compared with; from file to
network, answers and tables everything is here.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from elman import cells, layers
from elman.data import tables
from elman.data.ragged import Integers
from elman.data.tables import Column, Table
from elman.errors import RunError
from elman.modalities.base import Input, Modality, Output
from elman.tasks import roles
from elman.tasks.answering import Answers, answer, worded
from elman.tasks.base import Files, Score, Task
from elman.tasks.prepared import PreparedExamples, divided, others
from elman.topologies.many_to_one import SUMMARIES, ManyToOne
from elman.topologies.shared import SharedEncoder, Synced
from elman.training import examples
from elman.training.examples import ExampleBatches
from elman.training.loop import Job, Monitor
from elman.training.options import TrainingOptions, option

BATCH, UPDATES = 32, 60
"""Rows in a batch, and how many updates an epoch should have: few rows are learnt from in smaller batches."""


@dataclass(frozen=True, kw_only=True)
class ExampleOptions(TrainingOptions):
    """What tasks on tables share."""

    budget: ClassVar[dict[str, float]] = {"epochs": 10.0}

    input: list[str] | None = option(None, "column to read (default: found by its content)")
    output: list[str] | None = option(None, "column to answer (default: found by its content)")
    held_out: float = option(0.1, "share of the rows held out where --valid is not given", minimum=0.001, maximum=0.5)
    batch: int | None = option(None, "rows in a batch (default: 32, fewer where rows are few)", minimum=1)
    cell: str = option("lstm", "recurrent cell; `elman cells` lists them")
    hidden: int = option(128, "hidden units per layer and direction", minimum=1)
    layers: int = option(1, "recurrent layers", minimum=1)
    bidirectional: bool = option(True, "read each row from both ends")
    embedding: int = option(200, "features per word or symbol", minimum=2)
    input_dropout: float = option(0.4, "dropout of the input's features", minimum=0, maximum=0.99)
    dropout: float = option(0.4, "dropout between layers and before the output", minimum=0, maximum=0.99)
    label_smoothing: float = option(0.1, "share of probability that all answers get alike", minimum=0, maximum=0.9)

    def check(self) -> None:
        """The cell must exist."""
        cells.find(self.cell)


class ExampleTask(Task):
    """A task on tables: abstract.

    Attributes:
        inputs: the kinds of column that can be read, those that tell most first.
        answers: the kinds that can be answered.
        modalities: all that may stand for a column.
    """

    data = f"a table ({tables.ENDINGS}) with a row per example"
    held_out = "a tenth of the rows, drawn at random"
    inputs: ClassVar[tuple[str, ...]]
    answers: ClassVar[tuple[str, ...]]
    modalities: ClassVar[tuple[type[Modality], ...]]

    @abstractmethod
    def fit(self, input: Column, outputs: list[Column], options: Any) -> tuple[Input, Sequence[Output]]:
        """Fit the modalities: the input's on the rows to learn from, those of the outputs on all rows of the file."""

    @abstractmethod
    def figures(self, prepared: Any, part: str, found: Mapping[str, Answers]) -> Score:
        """Return what answers are worth, the headline first."""

    def prepare(self, files: Files, options: Any, folder: Path) -> PreparedExamples:
        """Read and check the tables, hold rows out if none are given for that, fit, and keep all parts in `folder`."""
        table = tables.read(files.train)
        found = roles.find(table, options.input or (), options.output or (), self.inputs, self.answers)
        input, outputs = table.column(found.input), [table.column(name) for name in found.outputs]
        held_out = options.held_out if files.valid is None else None
        chosen = divided(table, held_out, options.seed, outputs)
        fitted, answers = self.fit(_some(input, chosen["train"]), outputs, options)
        notes = (found.note,) if found.note else ()
        prepared = PreparedExamples(
            (found.input, fitted), dict(zip(found.outputs, answers, strict=True)), {}, {}, notes
        )
        for part, rows in chosen.items():
            columns = {name: _some(table.column(name), rows) for name in prepared.names}
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
        )

    def check_same(self, files: Files, prepared: PreparedExamples) -> None:
        """Compare the fingerprints of the files that are given."""
        for part, file in {"train": files.train, **others(files)}.items():
            fact = prepared.facts.get(part)
            if fact is None or tables.fingerprint(file) != fact["sha256"]:
                raise RunError(
                    f"{file} is not the {part} table that the run was begun with (its fingerprint differs); "
                    "give the same file, or train anew with another --out"
                )

    def describe(self, options: Any) -> dict[str, Any]:
        """Say cell, layers and sizes."""
        plural, both = "s" if options.layers > 1 else "", "bidirectional " if options.bidirectional else ""
        units = "hidden units each way" if options.bidirectional else "hidden units"
        return {"summary": f"{both}{options.cell.upper()}, {options.layers} layer{plural} of {options.hidden} {units}"}

    def network(self, prepared: PreparedExamples, options: Any) -> SharedEncoder:
        """The input's reader, recurrent layers, and what each output needs after them."""
        o, reader = options, prepared.input.reader(options.embedding)
        recurrence = layers.build(
            o.cell,
            reader.features,
            o.hidden,
            o.layers,
            dropout=o.dropout,
            bidirectional=o.bidirectional,
        )
        wired = {name: _wiring(output, recurrence.output_size, o) for name, output in prepared.outputs.items()}
        return SharedEncoder(reader, recurrence, wired, (o.input_dropout, o.dropout))

    def job(
        self,
        network: SharedEncoder,
        prepared: PreparedExamples,
        options: Any,
        folder: Path,
        monitor: Monitor,
        *,
        resume: bool,
    ) -> Job:
        """Full back-propagation through time over batches of rows of similar length."""
        train = prepared.examples("train")
        size = options.batch or min(BATCH, max(1, len(train) // UPDATES))
        return Job(
            module=network,
            batches=ExampleBatches(train, size, options.seed),
            objective=examples.objective,
            validate=partial(examples.mean_loss, examples=prepared.examples("valid")),
            options=options,
            model_file=folder / "model.safetensors",
            checkpoint_file=folder / "state" / "checkpoint.safetensors",
            monitor=monitor,
            resume=resume,
        )

    def score(self, network: SharedEncoder, prepared: PreparedExamples, part: str) -> Score:
        """Answer every row, and measure the answers."""
        return self.figures(prepared, part, self.answered(network, prepared, part))

    def answered(self, network: SharedEncoder, prepared: PreparedExamples, part: str) -> dict[str, Answers]:
        """Return the network's answers to the rows of a part."""
        return answer(network, prepared.examples(part), prepared.outputs)

    def extend(self, prepared: PreparedExamples, part: str, file: Path, folder: Path) -> PreparedExamples:
        """Read a further table with the run's columns."""
        more = PreparedExamples(
            (prepared.input_name, prepared.input), prepared.outputs, dict(prepared.facts), prepared.places
        )
        self._add(more, part, file, folder)
        return more

    def rows(self, prepared: PreparedExamples, data: Path | None) -> Table:
        """Read a table, or standard input: JSON lines, or a text in each line."""
        return tables.from_stdin(prepared.input_name) if data is None else tables.read(data)

    def predict(
        self, network: SharedEncoder, prepared: PreparedExamples, rows: Table | list[Any]
    ) -> list[dict[str, Any]]:
        """Return for every row what was read, the answers, and the probability that the network gives to each."""
        if not isinstance(rows, Table):
            rows = tables.from_rows([row if isinstance(row, dict) else {prepared.input_name: row} for row in rows])
        column = rows.column(prepared.input_name)
        found = answer(network, prepared.encode({prepared.input_name: column}), prepared.outputs)
        answers = {name: worded(name, prepared.outputs[name], answers) for name, answers in found.items()}
        return [
            {column.name: value} | {key: values[k] for words in answers.values() for key, values in words.items()}
            for k, value in enumerate(column.values.to_list())
        ]

    def _add(self, prepared: PreparedExamples, part: str, file: Path, folder: Path) -> None:
        table = tables.read(file)
        prepared.add(part, {name: table.column(name) for name in prepared.names}, file, folder)

    def _load(self, described: dict[str, Any]) -> Any:
        found = {modality.name: modality for modality in self.modalities}
        return found[described["modality"]].from_dict(described)


def _wiring(output: Output, features: int, options: Any) -> ManyToOne | Synced:
    if output.stepwise:
        return Synced(output.head(features, options.label_smoothing))
    head = output.head(SUMMARIES * features, options.label_smoothing)
    return ManyToOne(head, features, options.dropout)


def _some(column: Column, rows: Integers | None) -> Column:
    return column if rows is None else column.take(rows)
