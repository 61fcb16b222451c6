"""Streams of sets of events: time steps in, ln P of each and which events may come next out.

It does not know how a network reads.
"""

from collections.abc import Sequence

import torch
from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr
from torch import Tensor

from elman.generation.events import NEXT, PIECE, EventReading
from elman.generation.kept import Read
from elman.serve.moved import Moved
from elman.serve.streamed import Streamed


class Fed(BaseModel):
    """Time steps to read on."""

    model_config = ConfigDict(extra="forbid")

    sets: list[list[StrictInt | StrictStr]] = Field(
        default=[], description="for each time step a list of its events, whole numbers or texts as in training"
    )
    expected: int = Field(default=NEXT, ge=0, le=1000, description="how many of the most probable next events to tell")


class Next(BaseModel):
    """What may come next."""

    event: int | str
    probability: float


class Told(BaseModel):
    """What a stream says."""

    id: str
    read: int = Field(description="time steps that the stream has read in all")
    log_probabilities: list[float] = Field(description="ln P of each set, given everything before it")
    expected: list[Next] = Field(description="the most probable events of the next set, the most probable first")


class StreamedEvents(Streamed[EventReading]):
    """Sets of events, read by an event model."""

    answer = Told
    nothing = Fed()

    async def asked(self, fed: Fed) -> Fed:
        """A request is JSON."""
        return fed

    def message(self, said: str | bytes) -> Fed:
        """So is a message."""
        return Fed.model_validate_json(said)

    def pieces(self, fed: Fed) -> Sequence[Tensor]:
        """A few time steps each."""
        return torch.split(self.reader.sets(fed.sets), PIECE) if fed.sets else []

    def answered(self, name: str, now: Moved, found: Sequence[Read], fed: Fed) -> Told:
        """Say how probable each set was, and what may come next."""
        said = [value for read in found for value in read.log_probabilities]
        likely = self.reader.expected(now.state["features"], fed.expected) if fed.expected else []
        return Told(
            id=name,
            read=now.read,
            log_probabilities=said,
            expected=[Next(event=event, probability=share) for event, share in likely],
        )
