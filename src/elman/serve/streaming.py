"""/streams: texts without end, each read on and on in constant memory, whose state can be saved and moved.

It does not know where states are kept, nor how a network reads.
"""

import asyncio
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import FastAPI, Path, Request, Response, WebSocket
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.websockets import WebSocketDisconnect

from elman.data.stream import Symbols
from elman.errors import ElmanError
from elman.generation.stream import PIECE, TextStream
from elman.generation.streams import Kept, Read, TextStreams
from elman.run import Run
from elman.serve import moved
from elman.serve.failures import RESPONSES, Problem, in_a_sentence
from elman.serve.gate import Gate
from elman.serve.gather import Gatherer
from elman.serve.limits import Limits
from elman.serve.moved import Moved
from elman.serve.sessions import Sessions
from elman.serve.words import Text
from elman.serve.worker import Worker

Name = Annotated[str, Path(description="What POST /streams has answered")]
BYTES = "application/octet-stream"
CONFLICT: dict[int | str, dict[str, Any]] = {
    409: {"model": Problem, "description": "Another server has fed the stream"}
}
MISSING: dict[int | str, dict[str, Any]] = RESPONSES | {
    404: {"model": Problem, "description": "There is no such stream"}
}


class Fed(BaseModel):
    """Text to read on."""

    model_config = ConfigDict(extra="forbid")

    text: Text = Field("", description="what to read; it is cut into symbols by itself")
    expected: int = Field(5, ge=0, le=1000, description="how many of the most probable next symbols to tell")


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


@dataclass(frozen=True)
class Streams:
    """The streams of a run."""

    texts: TextStreams
    sessions: Sessions
    gatherer: Gatherer[tuple[Kept, Symbols], Read]
    mark: str

    async def make(self) -> Heard:
        """Begin a stream."""
        name = self.sessions.new()
        await self.sessions.put(name, moved.pack(Moved(self.texts.fresh, 0), self.mark))
        return self._heard(name, Moved(self.texts.fresh, 0), [], 5)

    async def feed(self, name: str, fed: Fed) -> Heard:
        """Read on; all of the text or, where that fails, nothing."""
        async with self.sessions.lock(name):
            before = await self.sessions.get(name)
            state, read = moved.unpack(before, self.mark)
            said: list[float] = []
            symbols = await asyncio.to_thread(self.texts.symbols, fed.text)
            for first in range(0, len(symbols), PIECE):
                found = await self.gatherer.ask((state, symbols[first : first + PIECE]))
                state = found.state
                said += found.log_probabilities
            now = Moved(state, read + len(symbols))
            if len(symbols):
                await self.sessions.put(name, moved.pack(now, self.mark), before)
        return self._heard(name, now, said, fed.expected)

    async def set(self, name: str, state: bytes) -> Heard:
        """Go on from a state, of a stream that is there or is not."""
        self.sessions.check(name)
        given = moved.unpack(state, self.mark)
        self.texts.check(given.state)
        async with self.sessions.lock(name):
            await self.sessions.put(name, moved.pack(given, self.mark))
        return self._heard(name, given, [], 5)

    def _heard(self, name: str, now: Moved, said: list[float], count: int) -> Heard:
        expected = [Next(text=t, probability=p) for t, p in self.texts.expected(now.state, count)]
        return Heard(id=name, read=now.read, log_probabilities=said, expected=expected)


def streams_of(run: Run, worker: Worker, limits: Limits, sessions: Sessions) -> Streams:
    """Return the streams of a run."""
    stream = run.stream()
    assert isinstance(stream, TextStream)
    texts = TextStreams(stream)
    gatherer: Gatherer[tuple[Kept, Symbols], Read] = Gatherer(
        lambda feeds: worker.do(texts.read, feeds), wait=limits.wait, most=limits.rows
    )
    return Streams(texts, sessions, gatherer, run.fingerprint)


def add(app: FastAPI, streams: Streams, gate: Gate) -> None:
    """Let an application read streams."""
    sessions = streams.sessions

    @app.post("/streams", status_code=201, responses=RESPONSES, summary="Begin a stream")
    async def make() -> Heard:
        return await streams.make()

    @app.post("/streams/{name}", responses=MISSING | CONFLICT, summary="Read on")
    async def feed(name: Name, fed: Fed) -> Heard:
        return await streams.feed(name, fed)

    @app.delete("/streams/{name}", status_code=204, responses=MISSING, summary="End a stream")
    async def end(name: Name) -> None:
        async with sessions.lock(name):
            await sessions.remove(name)

    @app.get(
        "/streams/{name}/state",
        response_class=Response,
        responses=MISSING | {200: {"content": {BYTES: {}}, "description": "safetensors"}},
        summary="Save a stream's state",
    )
    async def save(name: Name) -> Response:
        async with sessions.lock(name):
            state = await sessions.get(name)
        place = {"Content-Disposition": f'attachment; filename="{name}.safetensors"'}
        return Response(state, media_type=BYTES, headers=place)

    @app.put(
        "/streams/{name}/state",
        responses=RESPONSES,
        summary="Go on from a saved state, also of a stream that is new here",
        openapi_extra={"requestBody": {"required": True, "content": {BYTES: {}}}},
    )
    async def set_state(name: Name, request: Request) -> Heard:
        return await streams.set(name, await request.body())

    @app.websocket("/streams/{name}/feed")
    async def talk(socket: WebSocket, name: str) -> None:
        """Every message is a text, or JSON as POST takes it; every answer is JSON as POST gives it."""
        await socket.accept()
        try:
            while True:
                message = await socket.receive_text()
                await socket.send_json(await _answered(streams, gate, name, message))
        except WebSocketDisconnect:
            return


async def _answered(streams: Streams, gate: Gate, name: str, message: str) -> dict[str, Any]:
    """The answer to a message, or what is wrong with it."""
    try:
        with gate:
            return (await streams.feed(name, Fed.model_validate_json(message))).model_dump()
    except ValidationError as error:
        return {"error": in_a_sentence(error.errors())}
    except ElmanError as error:
        return {"error": str(error)}
    except HTTPException as error:
        return {"error": error.detail}
