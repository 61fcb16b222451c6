"""The contract of a task: a named row of modality, topology, defaults, metric and naive baseline.

A task knows nothing of the command line, of reports or of the run folder's layout beyond the folder for its data.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch
from torch import nn

from elman import assets
from elman.data.tables import Source
from elman.errors import DataError, RunError, UsageError
from elman.generation.events import EventStream
from elman.generation.listening import SpeechStream
from elman.generation.sample import Sampling
from elman.generation.stream import TextStream
from elman.generation.tagging import SeriesStream
from elman.tasks.together import attempt
from elman.training.loop import Batches, Objective
from elman.training.options import TrainingOptions

Score = dict[str, Any]
"""The figures of one evaluation by name. The first is the headline metric."""


Stream = TextStream | SpeechStream | SeriesStream | EventStream
"""What reads on and on."""


@dataclass(frozen=True)
class Files:
    """The data that the user named or gave: training, and optionally held-out parts."""

    train: Source
    valid: Source | None = None
    test: Source | None = None

    @property
    def held_out(self) -> dict[str, Source]:
        """Those of the held-out parts that are given."""
        return {part: file for part, file in (("valid", self.valid), ("test", self.test)) if file is not None}


class Material(NamedTuple):
    """What a network is trained on.

    Attributes:
        batches: where batches come from.
        objective: what a batch costs.
        validate: the validation loss of a network.
    """

    batches: Batches
    objective: Objective
    validate: Callable[[nn.Module], float]


class Prepared(ABC):
    """Data that a task has read, fitted and encoded; lies in a folder and can be loaded from there without the files.

    Attributes:
        facts: for each part (train, valid, test) where it came from, its fingerprint and its counts.
        noun: what the network predicts one of at a time, in the plural.
        notes: what was decided for the user that he may want to decide himself.
        unknown_last: whether the last of symbols that can become more stands for all that are not known.
    """

    facts: dict[str, dict[str, Any]]
    noun: str
    notes: tuple[str, ...] = ()
    unknown_last: ClassVar[bool] = False

    @property
    def shown(self) -> str:
        """The held-out part that is told about: the test part, if there is one."""
        return "test" if "test" in self.facts else "valid"

    @property
    def columns(self) -> dict[str, list[str]]:
        """The columns of a row by what becomes of them, "read" and "answered"; none where rows are plain texts."""
        return {}

    @property
    def reads_files(self) -> bool:
        """Whether what is read of a row is the name of a file."""
        return False

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Describe the fitted modalities for JSON."""


class Task(ABC):
    """One kind of problem, from files to a score.

    Attributes:
        name: as on the command line.
        topology: which of the five.
        metric: what is measured, in words.
        baseline_name: what it is compared with, in words.
        data: what the training data is, in words.
        held_out: what is held out where nothing is given for that, in words.
        next_step: what to do with a finished run, a command in which `{run}` stands for it.
        Options: what the user can set.
    """

    name: ClassVar[str]
    topology: ClassVar[str]
    metric: ClassVar[str]
    baseline_name: ClassVar[str]
    data: ClassVar[str]
    held_out: ClassVar[str]
    next_step: ClassVar[str] = "Apply it: elman predict {run} FILE"
    Options: ClassVar[type[TrainingOptions]]

    @abstractmethod
    def prepare(self, files: Files, options: Any, folder: Path, known: Any = None) -> Prepared:
        """Read and check the files, fit the modalities on the training part, encode everything into `folder`.

        With `known`, what another run prepared, its modalities are taken, grown where they can be, and not fitted.
        """

    @abstractmethod
    def load(self, described: dict[str, Any], facts: dict[str, dict[str, Any]], folder: Path) -> Prepared:
        """Return what `prepare` left in `folder`."""

    @abstractmethod
    def fingerprint(self, file: Source, fact: dict[str, Any]) -> str:
        """Return the fingerprint of what a part, described by `fact`, would be if it were read from `file`."""

    def check_same(self, files: Files, prepared: Prepared) -> None:
        """Raise RunError where the files are not those that `prepared` came from.

        A file that is gone is not missed: what was read from it lies in the run.
        """
        for part, file in {"train": files.train, **files.held_out}.items():
            fact = prepared.facts.get(part, {})
            if isinstance(file, Path) and not file.exists() and assets.name(file) == fact.get("path"):
                continue
            if not fact or self.fingerprint(file, fact) != fact["sha256"]:
                raise RunError(
                    f"{file} is not the {part} {'table' if prepared.columns else 'text'} that the run was begun with "
                    "(its fingerprint differs); give the same file, or train anew with another --out"
                )

    @abstractmethod
    def describe(self, options: Any) -> dict[str, Any]:
        """Return the network in words: `summary`, and further facts by name."""

    @abstractmethod
    def network(self, prepared: Any, options: Any) -> nn.Module:
        """Return the untrained network."""

    def begin(self, network: Any, prepared: Any) -> None:  # noqa: B027 - most tasks have nothing to tell
        """Tell an untrained network what is known of the data before it learns from it; nothing, for most tasks."""

    @abstractmethod
    def material(self, prepared: Any, options: Any) -> Material:
        """Return what a network is trained on."""

    def calibrate(self, network: Any, prepared: Any) -> dict[str, float]:
        """Make a trained network's probabilities those of the held-out rows, where that is done; return what was done.

        Returns:
            By output the temperature that its scores were divided by.
        """
        del network, prepared
        return {}

    @abstractmethod
    def score(self, network: Any, prepared: Any, part: str) -> Score:
        """Return the network's figures on a part of the data."""

    @abstractmethod
    def baselines(self, prepared: Any, part: str) -> list[Score]:
        """Return the same figures of each naive baseline, fitted on the training part, with its `name`."""

    @abstractmethod
    def extend(self, prepared: Any, part: str, file: Source, folder: Path) -> Prepared:
        """Return `prepared` with a further part: a file encoded into `folder` with the fitted modalities."""

    @abstractmethod
    def rows(self, prepared: Any, data: Path | None) -> Any:
        """Return the rows of a file as `predict` takes them; None stands for standard input."""

    @abstractmethod
    def predict(self, network: Any, prepared: Any, rows: Any) -> list[dict[str, Any]]:
        """Return the answer for every row, each by column name."""

    def row_by_row(self, prepared: Any) -> bool:
        """Whether each row of a table has an answer, which can stand beside it; not unless a task says so."""
        del prepared
        return False

    def predict_in_blocks(
        self, network: Any, prepared: Any, rows: Any, onerror: Callable[[DataError], None] | None
    ) -> Iterator[list[dict[str, Any]]]:
        """Yield what `predict` returns block by block: all of it at once, unless a task says how.

        Args:
            network: in eval mode.
            prepared: the run's data.
            rows: as `rows` returns them.
            onerror: is called for each file that rows name and that cannot be read, with what is wrong; its answer is
                Nones. Without it, the first raises DataError.

        """
        del onerror
        yield self.predict(network, prepared, rows)

    def predict_each(self, network: Any, prepared: Any, requests: Sequence[list[Any]]) -> list[Any]:
        """Answer the rows of several callers, each as `predict` would: one after the other, unless a task says how.

        Returns:
            For each caller the answers, or the ElmanError that says what is wrong with its rows.

        """
        return [attempt(self.predict, network, prepared, rows) for rows in requests]

    def batch_rows(self, prepared: Any, rows: list[Any]) -> int:
        """How many rows of a batch the rows of a caller make: one each, unless a task says otherwise."""
        del prepared
        return len(rows)

    def showcase(self, network: Any, prepared: Any, options: Any) -> dict[str, Any]:
        """Return what the report shows beside scores, by section name; nothing unless a task says so."""
        del network, prepared, options
        return {}

    def generate(self, network: Any, prepared: Any, prompt: str, length: int, sampling: Sampling) -> Iterator[str]:
        """Yield text that continues `prompt`; UsageError where the task does not write."""
        del network, prepared, prompt, length, sampling
        raise UsageError(f"a {self.name} run does not generate; let it predict rows")

    def streams(self, prepared: Any, options: Any) -> str:
        """What `stream` takes, "text", "sound", "steps" or "sets"; nothing where a run needs whole rows."""
        del prepared, options
        return ""

    def stream(self, network: Any, prepared: Any, weights: torch.dtype | None) -> Stream:
        """Return the network as one that reads on and on; UsageError where the task needs whole rows."""
        del network, prepared, weights
        raise UsageError(
            f"a {self.name} run reads whole rows, nothing without end; let it predict rows (streams are of language "
            "models, and of speech recognizers and taggers of series that are trained with --no-bidirectional)"
        )
