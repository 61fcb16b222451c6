"""Streams of measurements: time steps in, the tag of each out.

It does not know how a network reads.
"""

from collections.abc import Sequence
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from elman.generation.tagging import Tagged, Tagger
from elman.serve.moved import Moved
from elman.serve.streamed import Streamed

PIECE = 256
"""Time steps of one series that are read before others have their turn."""


class Fed(BaseModel):
    """Time steps to read on."""

    model_config = ConfigDict(extra="forbid")

    steps: list[list[float]] | list[float] = Field(
        default=[], description="the numbers of one time step, or a list of such lists"
    )


class Told(BaseModel):
    """What a stream says."""

    id: str
    read: int = Field(description="time steps that the stream has read in all")
    answers: list[dict[str, Any]] = Field(description="for each time step its tags, and how probable they are")


class StreamedSteps(Streamed[Tagger]):
    """Series, tagged step by step."""

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
        return torch.split(self.reader.scaled(fed.steps), PIECE) if fed.steps else []

    def answered(self, name: str, now: Moved, found: Sequence[Tagged], fed: Fed) -> Told:
        """Say the tags."""
        del fed
        return Told(id=name, read=now.read, answers=[answer for piece in found for answer in piece.answers])
