"""Streams of text: symbols in, ln P of each and what may come next out.

It does not know how a network reads.
"""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from elman.data.stream import Symbols
from elman.generation.kept import Read
from elman.generation.stream import PIECE
from elman.generation.streams import TextStreams
from elman.serve.moved import Moved
from elman.serve.streamed import Streamed
from elman.serve.words import Text


class Fed(BaseModel):
    """Text to read on."""

    model_config = ConfigDict(extra="forbid")

    text: Text = Field(default="", description="what to read; it is cut into symbols by itself")
    expected: int = Field(default=5, ge=0, le=1000, description="how many of the most probable next symbols to tell")


class Next(BaseModel):
    """What may come next."""

    text: str
    probability: float


class Heard(BaseModel):
    """What a stream says."""

    id: str
    read: int = Field(description="symbols that the stream has read in all")
    log_probabilities: list[float] = Field(description="ln P of each symbol of the text, given everything before it")
    expected: list[Next] = Field(description="the most probable next symbols, the most probable first")


class StreamedText(Streamed[TextStreams]):
    """Texts, read by a language model."""

    answer = Heard
    nothing = Fed()

    async def asked(self, fed: Fed) -> Fed:
        """A request is JSON."""
        return fed

    def message(self, said: str | bytes) -> Fed:
        """So is a message."""
        return Fed.model_validate_json(said)

    def pieces(self, fed: Fed) -> list[Symbols]:
        """A few symbols each."""
        symbols = self.reader.symbols(fed.text)
        return [symbols[first : first + PIECE] for first in range(0, len(symbols), PIECE)]

    def answered(self, name: str, now: Moved, found: Sequence[Read], fed: Fed) -> Heard:
        """Say how probable each symbol was, and what may come next."""
        said = [value for read in found for value in read.log_probabilities]
        expected = [Next(text=t, probability=p) for t, p in self.reader.expected(now.state, fed.expected)]
        return Heard(id=name, read=now.read, log_probabilities=said, expected=expected)
