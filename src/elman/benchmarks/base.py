"""What a benchmark is: cells and shapes in, rows out, and how the rows are shown.

It does not know which benchmarks and peers there are, nor how time is taken.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from torch import Tensor

from elman.benchmarks.answers import TOLERANCE
from elman.benchmarks.timing import Budget
from elman.errors import UsageError

if TYPE_CHECKING:
    from elman.benchmarks.peers.base import Peer

Row = dict[str, Any]
"""What was measured of one case, for JSON."""

GIVEN = "given"
"""The group of the shapes that the user named."""


class Shape(NamedTuple):
    """The sizes of a case, by the legend of `elman.types`."""

    B: int
    T: int
    I: int
    H: int

    def __str__(self) -> str:
        return ",".join(map(str, self))

    @classmethod
    def parse(cls, text: str) -> "Shape":
        """Read B,T,I,H; UsageError if it is anything else."""
        parts = text.replace(" ", "").split(",")
        if len(parts) != len(cls._fields) or not all(part.isdecimal() and int(part) for part in parts):
            raise UsageError(f"--shape {text!r} is not B,T,I,H: four whole numbers from 1 on, such as 32,100,128,256")
        return cls(*map(int, parts))


class Table(NamedTuple):
    """Aligned text for people: a title, and rows of which the first is the header."""

    title: str
    rows: list[tuple[str, ...]]


@dataclass(frozen=True)
class Work:
    """One contender's work.

    Attributes:
        run: does it once; this is what is timed.
        read: what `run` returned, and gradients where there are any, as tensors under torch.nn's names and layouts.
        tolerance: how far these may be off, relative to the largest value of each.

    """

    run: Callable[[], Any]
    read: Callable[[Any], dict[str, Tensor]]
    tolerance: float = TOLERANCE


@dataclass(frozen=True)
class Settings:
    """What the user asked for.

    Attributes:
        cells: names of cells.
        shapes: None for the benchmark's own.
        budget: of one row.
        peers: whom to compare with, torch.nn always first.

    """

    cells: tuple[str, ...]
    shapes: tuple[Shape, ...] | None
    budget: Budget
    peers: "tuple[Peer, ...]"


class Benchmark(ABC):
    """One thing that is measured; stateless."""

    shapes: ClassVar[dict[str, tuple[Shape, ...]]]
    """The shapes of its own, by the group that a mean is taken over."""

    peers: ClassVar[tuple[str, ...]]
    """The names of the peers that can do the same work."""

    cells: ClassVar[tuple[str, ...]] = ("lstm", "gru", "rnn", "rnn-relu")
    """The names of the cells that can be chosen from."""

    rounds: ClassVar[int] = 15
    """How many rounds, if the user gives no budget."""

    @abstractmethod
    def rows(self, settings: Settings) -> Iterator[Row]:
        """Measure case by case.

        Raises:
            ElmanError: if two contenders give different answers.

        """

    @abstractmethod
    def means(self, rows: list[Row]) -> list[Row]:
        """The geometric means of the rows."""

    @abstractmethod
    def tables(self, rows: list[Row]) -> list[Table]:
        """The rows for people."""

    @abstractmethod
    def means_table(self, means: list[Row]) -> Table:
        """The means for people."""

    def said(self, row: Row) -> str:
        """One finished row in a line of progress."""
        return ", ".join(f"{header} {text}" for header, text in zip(*self.tables([row])[0].rows, strict=True))

    def grouped_shapes(self, settings: Settings) -> list[tuple[str, Shape]]:
        """The shapes to measure, each with its group."""
        groups = self.shapes if settings.shapes is None else {GIVEN: settings.shapes}
        return [(group, shape) for group, shapes in groups.items() for shape in shapes]
