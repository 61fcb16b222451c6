"""Streams of sound: samples in, as the bytes that a microphone gives, the text that is heard in them out.

It does not know how a network hears.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from fastapi import Query, Request
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from elman.errors import DataError, UsageError
from elman.generation.hearing import Heard, Listener, Sound
from elman.generation.listening import LOUDEST
from elman.serve.moved import Moved
from elman.serve.streamed import Streamed

TURN = 1.0
"""Seconds of one sound that are heard before others have their turn."""


FILE = re.compile(rb"RIFF....WAVE|fLaC[\x00\x80]\x00\x00\x22|OggS\x00\x02", re.DOTALL)
"""How files begin that sound is kept in."""


class Manner(BaseModel):
    """What is to be known of samples."""

    model_config = ConfigDict(extra="forbid")

    rate: int | None = Field(
        default=None, description="samples a second, to be sure that they are those that the run hears"
    )
    end: bool = Field(
        default=False, description="whether the sound ends with these samples; what comes next is another one"
    )


class Told(BaseModel):
    """What is heard in a stream."""

    id: str
    rate: int = Field(description="samples a second that are to be sent")
    read: int = Field(description="samples that the stream has heard in all")
    text: str = Field(description="what has been told since the answer before")


@dataclass(frozen=True)
class Fed:
    """Samples (N,) to hear, and whether the sound ends with them."""

    samples: Tensor
    end: bool


class StreamedSound(Streamed[Listener]):
    """Sounds, heard by a speech recognizer: samples of 16 bits, the lower byte first, of one channel."""

    answer = Told
    nothing = Fed(torch.zeros(0), end=False)
    body: ClassVar[dict[str, Any]] = {"required": False, "content": {"application/octet-stream": {}}}

    async def asked(self, request: Request, manner: Annotated[Manner, Query()]) -> Fed:
        """A request is samples; its address says what is to be known of them."""
        if request.headers.get("content-type", "").startswith("application/json"):
            raise UsageError("a stream of sound takes samples as they are, not JSON; docs/serving.md shows how")
        return self._fed(await request.body(), manner)

    def message(self, said: str | bytes) -> Fed:
        """So is a message of bytes; one of text says, as JSON, what is to be known."""
        return (
            self._fed(said, Manner()) if isinstance(said, bytes) else self._fed(b"", Manner.model_validate_json(said))
        )

    def pieces(self, fed: Fed) -> list[Sound]:
        """A second each; the last one with the end."""
        parts = torch.split(fed.samples, round(TURN * self.reader.rate)) if len(fed.samples) else ()
        found = [Sound(part) for part in parts]
        if fed.end:
            *found, last = found or [Sound(fed.samples)]
            found.append(last._replace(end=True))
        return found

    def size(self, piece: Sound) -> int:
        """Samples."""
        return len(piece.samples)

    def answered(self, name: str, now: Moved, found: Sequence[Heard], fed: Fed) -> Told:
        """Say what has been heard."""
        del fed
        text = "".join(heard.text for heard in found)
        return Told(id=name, rate=self.reader.rate, read=now.read, text=text)

    def _fed(self, body: bytes, manner: Manner) -> Fed:
        rate = self.reader.rate
        if manner.rate not in (None, rate):
            raise UsageError(f"this run hears {rate} samples a second, not {manner.rate}; resample before you send")
        if FILE.match(body):
            raise DataError(
                "this is a whole sound file; a stream takes samples alone, 16 bits each, the lower byte first, one "
                f"channel, {rate} a second"
            )
        if len(body) % 2:
            raise DataError(
                f"{len(body):,} bytes are no whole number of samples, which have 2 bytes each; send all of it"
            )
        samples = np.frombuffer(body, "<i2").astype(np.float32) / LOUDEST
        return Fed(torch.from_numpy(samples), manner.end)
