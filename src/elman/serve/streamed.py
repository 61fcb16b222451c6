"""The contract of what a stream is of: how a request becomes pieces, how these are read, and what is answered.

It does not know where states are kept, nor which stream is which.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel

from elman.generation.kept import Kept
from elman.serve.moved import Moved


class Streamed(ABC):
    """What a stream is of.

    Attributes:
        fresh: the state of what has read nothing yet.
        answer: the form of what is answered.
        nothing: what is fed where nothing is.
        asked: takes a request apart, as FastAPI calls it, and returns what is fed; ElmanError where that is wrong.
        body: what a request's body is, for the description of the service, where `asked` does not say it.

    """

    fresh: Kept
    answer: type[BaseModel]
    nothing: Any
    asked: Callable[..., Awaitable[Any]]
    body: ClassVar[dict[str, Any] | None] = None

    @abstractmethod
    def message(self, said: str | bytes) -> Any:
        """Take a message of a WebSocket apart likewise; ElmanError or pydantic's ValidationError where it is wrong."""

    @abstractmethod
    def pieces(self, fed: Any) -> Sequence[Any]:
        """Cut what is fed into pieces, each for a turn of its own."""

    @abstractmethod
    def size(self, piece: Any) -> int:
        """How much is read with a piece, in symbols or samples."""

    @abstractmethod
    def read(self, feeds: Sequence[tuple[Kept, Any]]) -> Sequence[Any]:
        """Read on from each state the piece beside it; each of what comes of it has the `state` after it."""

    @abstractmethod
    def check(self, state: Kept) -> None:
        """Raise UsageError where a state is not one of this run."""

    @abstractmethod
    def answered(self, name: str, now: Moved, found: Sequence[Any], fed: Any) -> BaseModel:
        """Say what came of reading the pieces of what was fed to the stream of that name."""
