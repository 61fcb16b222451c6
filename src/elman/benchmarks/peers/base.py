"""What a peer is: another way to compute a problem, as a work to be timed.

It does not know which peers there are.
"""

from abc import ABC, abstractmethod
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, ClassVar

from elman.benchmarks.base import Work
from elman.benchmarks.problem import Problem


class Peer(ABC):
    """Another way to compute a problem; stateless. Its packages are imported when it is first asked for a work."""

    name: ClassVar[str]
    """As --peer takes it, and the columns are called."""

    packages: ClassVar[tuple[str, ...]]
    """What must be installed, by the names of import and distribution; the first one's version is reported."""

    threads: ClassVar[str] = "as Elman"
    """How many it takes: as many as torch is set to, like Elman, or what it says here."""

    def installed(self) -> bool:
        """Whether it can be asked for a work."""
        return all(find_spec(package) is not None for package in self.packages)

    def facts(self) -> dict[str, Any]:
        """Version and threads, for the record."""
        return {"version": version(self.packages[0]), "threads": self.threads}

    @abstractmethod
    def forward(self, problem: Problem) -> Work | None:
        """Forward over full rows, without grad; None if it is not for that."""

    @abstractmethod
    def training(self, problem: Problem) -> Work | None:
        """Forward, the sum of the output, backward to weights and input; None if it is not for that."""

    @abstractmethod
    def step(self, problem: Problem) -> Work | None:
        """One time step of x[0] from the state that the one before left, with torch's threads as they are now."""
