"""A trained network: score it, let it predict, let it write.

A `Run` reads its folder and never writes to it, except where a method says so.
"""

import copy
import hashlib
import shlex
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from elman import cells, tasks
from elman.cells import CELLS
from elman.cells.own import Outcome, alike, tried
from elman.data import given
from elman.data.tables import Source, Table
from elman.diagnosis.result import Diagnosis
from elman.engine.warning import warn
from elman.errors import DataError, RunError, UsageError
from elman.generation.sample import Sampling, check_whole
from elman.run.folder import RunFolder, folder_path
from elman.run.inspection import look_inside
from elman.run.predictions import Predictions
from elman.tasks.base import Prepared, Score, Stream, Task
from elman.training.checkpoint import read_tensors
from elman.training.options import TrainingOptions


class Run:
    """A run folder, opened.

    Attributes:
        path: the folder.
        description: what `run.json` says.
    """

    def __init__(self, path: Path) -> None:
        self._folder = RunFolder(path)
        self.path = path
        self.description = self._folder.read()
        self._task = tasks.find(self.description["task"])

    def __repr__(self) -> str:
        """Show the folder and the task."""
        return f"Run({str(self.path)!r}, task={self._task.name!r})"

    @property
    def task(self) -> str:
        """The task's name."""
        return self._task.name

    @property
    def next_step(self) -> str:
        """What to do with the finished run, in words."""
        return self._task.next_step.format(run=shlex.quote(str(self.path)))

    @property
    def report(self) -> Path:
        """The report, an HTML file."""
        return self._folder.report

    @property
    def weights(self) -> Path:
        """The trained weights, a safetensors file."""
        return self._folder.model

    @property
    def scores(self) -> dict[str, Score]:
        """The scores of the held-out parts, as they were when training ended."""
        scores: dict[str, Score] = self.description.get("scores", {})
        return scores

    @property
    def generates(self) -> bool:
        """Whether `generate` writes; else it raises UsageError."""
        return type(self._task).generate is not Task.generate

    @property
    def streams(self) -> str:
        """What `stream` takes, "text", "sound", "steps" or "sets"; nothing where the run needs whole rows."""
        return self._task.streams(self.prepared, self.options)

    @cached_property
    def fingerprint(self) -> str:
        """The SHA-256 of the trained weights; states of streams belong to them."""
        self.network  # noqa: B018 - says in a sentence what is wrong with the file
        return hashlib.sha256(self._folder.model.read_bytes()).hexdigest()

    @cached_property
    def options(self) -> TrainingOptions:
        """The options that the run was trained with."""
        try:
            given = self.description["options"]
            return self._task.Options.make({name: value for name, value in given.items() if value is not None})
        except (AttributeError, TypeError, UsageError) as error:
            raise RunError(f"{self._folder.description} is damaged ({error}); restore it, or train anew") from error

    @cached_property
    def other_step(self) -> str:
        """What to say where a cell of the user's own is no longer the one that was trained; else nothing."""
        trained = self.description.get("step")
        if not trained or alike(trained, step_of(self.options)):
            return ""
        cell: Any = self.options
        return f"the cell {cell.cell!r} computes something else than when {self.path} was begun, whose weights fit that"

    @cached_property
    def prepared(self) -> Prepared:
        """The run's own data, from its folder."""
        try:
            return self._task.load(self.description["modalities"], self.description["data"], self._folder.state)
        except (AttributeError, KeyError, TypeError) as error:
            raise RunError(f"{self._folder.description} is damaged ({error!r}); restore it, or train anew") from error

    @cached_property
    def network(self) -> Any:
        """The trained network, a torch.nn.Module in eval mode, with its best weights; every time the same one.

        It is what `predict` and `generate` run, on what they make of rows, time first. That of a language model takes
        symbols by number (T, B) and a state or None, and returns scores (T, B, V) and the state after them. That of a
        classifier or tagger takes rows, padded, of a series z-scores (T, B, C), and their lengths (B,), and returns
        {column: scores}, (B, V) or (T, B, V), whose softmax gives probabilities. Parts of it, such as the Elman layer
        `recurrence`, can be used alone. Who changes its weights changes what this object answers, not what is on disk.
        """
        if self.other_step:
            warn(f"{self.other_step}: answers are not what they were; bring its former code back")
        network = self._task.network(self.prepared, self.options)
        if not self._folder.model.exists():
            raise RunError(
                f"{self.path} has no trained weights yet; train it with: "
                f"elman train {self.task} DATA --out {self.path} --resume"
            )
        tensors, _ = read_tensors(self._folder.model)
        try:
            network.load_state_dict(tensors)
        except RuntimeError as error:
            raise RunError(f"{self._folder.model} does not fit run.json; restore it, or train the run anew") from error
        return network.eval()

    def evaluate(self, data: Any = None) -> dict[str, Any]:
        """Score the network beside the naive baseline.

        Args:
            data: a file, or data in memory as `train` takes it, or None for the run's own held-out part (the test part
                if there is one).

        Returns:
            {"data": ..., "score": {...}, "baselines": [{"name": ..., ...}, ...]}
        """
        if data is None:
            part = self.prepared.shown
            return self._evaluate(self.prepared, part, f"{part} part of the run")
        source = given.source(data, "the data given")
        with self._extended("given", source) as prepared:
            return self._evaluate(prepared, "given", str(source))

    def diagnose(self, data: Any = None) -> Diagnosis:
        """Say where gradients vanish or explode in training, how far the network remembers, and what to do.

        Args:
            data: a file like the training data, data in memory, or None for the run's own.

        Returns:
            A Diagnosis; print it to read it.
        """
        network = copy.deepcopy(self.network)
        if data is None:
            return look_inside(self._task, network, self.prepared, self.options, self._folder)
        with self._extended("train", given.source(data, "the data given")) as prepared:
            return look_inside(self._task, network, prepared, self.options, self._folder)

    def predict(self, rows: str | Path | Iterable[Any]) -> list[dict[str, Any]]:
        """Return the task's answer for every row; for a language model its log-probability and perplexity.

        Args:
            rows: a file, "-" for standard input, or the rows themselves: texts or series in a list, series also in an
                array or a tensor (rows, steps, numbers), [{column: value}, ...], columns {column: list or array}, or a
                data frame.

        Returns:
            For each row what was read and what is answered, by name. Labels and tags are what they were in training:
            texts, whole or other numbers, or booleans; from csv they are texts.
        """
        if isinstance(rows, str) and rows != "-":
            given.check_there(rows)
        found = self._asked(rows) if isinstance(rows, str | Path) else given.rows(rows)
        return self._task.predict(self.network, self.prepared, found) if found else []

    def predictions(self, data: str | Path, onerror: Callable[[DataError], None] | None = None) -> Predictions:
        """Return the answers to a file, and that file as a table with the answers beside its own columns.

        Args:
            data: a file, a folder of recordings or images, or "-" for standard input.
            onerror: is called for each recording, image or video that cannot be read, whose answer is then empty;
                without it the first one raises DataError.

        """
        asked = self._asked(data)
        blocks = self._task.predict_in_blocks(self.network, self.prepared, asked, onerror)
        return self._beside([*chain.from_iterable(blocks)], asked)

    def predictions_in_blocks(
        self, data: str | Path, onerror: Callable[[DataError], None] | None = None
    ) -> Iterator[Predictions]:
        """Yield the same block by block, some rows after the other: for more rows than should be in memory at once.

        The file itself is read first, as columns, and what is wrong with it is told before the first answer.

        Args:
            data: as `predictions` takes it.
            onerror: likewise.

        """
        asked = self._asked(data)
        begin = 0
        for rows in self._task.predict_in_blocks(self.network, self.prepared, asked, onerror):
            yield self._beside(rows, asked, begin)
            begin += len(rows)

    def predict_each(self, requests: Sequence[Iterable[Any]]) -> list[Any]:
        """Answer the rows of several callers at once, each as if they had come alone.

        What stands beside a row does not change its answer, beyond the rounding of float32.

        Args:
            requests: for each caller the rows, as `predict` takes them in Python.

        Returns:
            For each caller the answers, or the ElmanError that says what is wrong with its rows.

        """
        listed = [given.rows(rows) for rows in requests]
        answers = iter(self._task.predict_each(self.network, self.prepared, [rows for rows in listed if rows]))
        return [next(answers) if rows else [] for rows in listed]

    def batch_rows(self, rows: Sequence[Any]) -> int:
        """How many rows of a batch the rows of a caller make, such as one for each series of a forecast."""
        return self._task.batch_rows(self.prepared, list(rows))

    def generate(self, prompt: str = "", length: int = 500, **sampling: Any) -> Iterator[str]:
        """Yield text that continues `prompt`, piece by piece; an event model writes sets, one in each line, as JSON.

        Args:
            prompt: what the text begins with; it is not repeated.
            length: symbols, or sets, to draw.
            sampling: temperature, top_k, top_p, seed, as `elman generate` has them; None means the default.

        Raises:
            UsageError: if the task does not write, or an option is wrong.

        """
        if not isinstance(prompt, str):
            raise UsageError(f"the prompt must be a text, got {type(prompt).__name__}")
        check_whole("length", length)
        return self._task.generate(self.network, self.prepared, prompt, length, Sampling.make(sampling))

    def stream(self, *, weights: torch.dtype | None = None) -> Stream:
        """Return the network as one that reads or listens on and on, in constant memory.

        A language model reads text, an event model sets of events; trained with bidirectional=False, a speech
        recognizer hears samples, and a tagger of series reads time steps.

        Args:
            weights: torch.bfloat16 or torch.int8 to keep the recurrent matrices in less memory, rounded, as
                `layer.stepper` takes it; None for what they are.

        Raises:
            UsageError: if the task needs whole rows.

        """
        return self._task.stream(self.network, self.prepared, weights)

    def _beside(self, rows: list[dict[str, Any]], asked: Any, begin: int = 0) -> Predictions:
        """The answers, where there is one for each row beside the rows that are asked, from the one at `begin`."""
        if not self._task.row_by_row(self.prepared):
            return Predictions(rows)
        own = slice(begin, begin + len(rows))
        block = Table(asked.source, asked.frame[own], asked.rows[own])
        return Predictions(rows, block, self.prepared.columns["answered"])

    def _asked(self, data: str | Path) -> Any:
        return self._task.rows(self.prepared, None if str(data) == "-" else Path(data))

    @contextmanager
    def _extended(self, part: str, source: Source) -> Iterator[Prepared]:
        """The run's data with a part from elsewhere, while a block runs."""
        with tempfile.TemporaryDirectory(prefix="elman-") as folder:
            yield self._task.extend(self.prepared, part, source, Path(folder))

    def _evaluate(self, prepared: Prepared, part: str, data: str) -> dict[str, Any]:
        score = self._task.score(self.network, prepared, part)
        return {"data": data, "score": score, "baselines": self._task.baselines(prepared, part)}


def load(path: str | Path) -> Run:
    """Open a run folder; RunError says what is wrong with it."""
    return Run(folder_path(path, "a run"))


def step_of(options: Any) -> Outcome:
    """What the step of a cell of the user's own makes of some numbers; nothing for the cells that there are."""
    return [] if options.cell in CELLS else tried(cells.find(options.cell), options.hidden)
