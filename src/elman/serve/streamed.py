"""The contract of what a stream is of: how a request becomes pieces, how these are read, and what is answered.

It does not know where states are kept, nor which stream is which.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel

from elman.generation.side_by_side import SideBySide
from elman.serve.moved import Moved

Reader = TypeVar("Reader", bound=SideBySide[Any, Any])


class Streamed(ABC, Generic[Reader]):
    """What a stream is of.

    Attributes:
        reader: what reads on.
        answer: the form of what is answered.
        nothing: what is fed where nothing is.
        asked: takes a request apart, as FastAPI calls it, and returns what is fed; ElmanError where that is wrong.
        body: what a request's body is, for the description of the service, where `asked` does not say it.

    """

    answer: type[BaseModel]
    nothing: Any
    asked: Callable[..., Awaitable[Any]]
    body: ClassVar[dict[str, Any] | None] = None

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    @abstractmethod
    def message(self, said: str | bytes) -> Any:
        """Take a message of a WebSocket apart likewise; ElmanError or pydantic's ValidationError where it is wrong."""

    @abstractmethod
    def pieces(self, fed: Any) -> Sequence[Any]:
        """Cut what is fed into pieces, each for a turn of its own."""

    def size(self, piece: Any) -> int:
        """How much is read with a piece, in symbols, samples or time steps."""
        return len(piece)

    @abstractmethod
    def answered(self, name: str, now: Moved, found: Sequence[Any], fed: Any) -> BaseModel:
        """Say what came of reading the pieces of what was fed to the stream of that name."""
