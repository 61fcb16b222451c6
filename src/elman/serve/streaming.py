"""/streams: what has no end, read on and on in constant memory, whose state can be saved and moved.

It does not know what they are of, where states are kept, nor how a network reads.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Path, Request, Response, WebSocket
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.types import Message
from starlette.websockets import WebSocketDisconnect

from elman.errors import DataError, ElmanError, RunError, UsageError
from elman.generation.events import EventStream
from elman.generation.kept import Kept
from elman.generation.listening import SpeechStream
from elman.generation.stream import TextStream
from elman.generation.streams import TextStreams
from elman.generation.tagging import SeriesStream
from elman.run.run import Run
from elman.serve import moved
from elman.serve.expecting import StreamedEvents
from elman.serve.failures import RESPONSES, Problem, in_a_sentence, noted
from elman.serve.gate import Gate
from elman.serve.gather import Gatherer
from elman.serve.hearing import StreamedSound
from elman.serve.limits import Limits
from elman.serve.measuring import StreamedSteps
from elman.serve.metrics import Metrics
from elman.serve.moved import Moved
from elman.serve.reading import StreamedText
from elman.serve.sessions import Sessions
from elman.serve.streamed import Streamed
from elman.serve.worker import Worker
from elman.tasks.base import Stream

Name = Annotated[str, Path(description="What POST /streams has answered")]
BYTES = "application/octet-stream"
FEED = "/streams/{name}/feed"
CONFLICT: dict[int | str, dict[str, Any]] = {
    409: {"model": Problem, "description": "Another server has fed the stream"}
}
MISSING: dict[int | str, dict[str, Any]] = RESPONSES | {
    404: {"model": Problem, "description": "There is no such stream"}
}


@dataclass(frozen=True)
class Streams:
    """The streams of a run."""

    of: Streamed[Any]
    sessions: Sessions
    gatherer: Gatherer[tuple[Kept, Any], Any]
    mark: str

    async def make(self) -> BaseModel:
        """Begin a stream."""
        name, begun = self.sessions.new(), Moved(self.of.reader.fresh, 0)
        await self.sessions.put(name, moved.pack(begun, self.mark))
        return self.of.answered(name, begun, [], self.of.nothing)

    async def feed(self, name: str, fed: Any) -> BaseModel:
        """Read on; all that is fed or, where that fails, nothing."""
        async with self.sessions.lock(name):
            before = await self.sessions.get(name)
            state, read = self._kept(before)
            found: list[Any] = []
            for piece in await asyncio.to_thread(self.of.pieces, fed):
                found.append(await self.gatherer.ask((state, piece)))
                state, read = found[-1].state, read + self.of.size(piece)
            now = Moved(state, read)
            if found:
                await self.sessions.put(name, moved.pack(now, self.mark), before)
        return self.of.answered(name, now, found, fed)

    def _kept(self, state: bytes) -> Moved:
        try:
            return moved.unpack(state, self.mark)
        except DataError as error:  # the asker has sent nothing that could be mended
            raise RunError("what was kept of this stream is damaged; delete it, and begin another") from error

    async def set(self, name: str, state: bytes) -> BaseModel:
        """Go on from a state, of a stream that is there or is not."""
        self.sessions.check(name)
        given = moved.unpack(state, self.mark)
        self.of.reader.check(given.state)
        async with self.sessions.lock(name):
            await self.sessions.put(name, moved.pack(given, self.mark))
        return self.of.answered(name, given, [], self.of.nothing)


def streams_of(run: Run, worker: Worker, limits: Limits, sessions: Sessions, metrics: Metrics) -> Streams:
    """Return the streams of a run."""
    of = _streamed(run.stream())
    gatherer: Gatherer[tuple[Kept, Any], Any] = Gatherer(
        lambda feeds: worker.do(of.reader.read, feeds),
        wait=limits.wait,
        most=limits.rows,
        seen=metrics.batches("streams"),
    )
    return Streams(of, sessions, gatherer, run.fingerprint)


def _streamed(stream: Stream) -> Streamed[Any]:
    """Return what the stream is of, as the service has it."""
    match stream:
        case TextStream():
            return StreamedText(TextStreams(stream))
        case SpeechStream():
            return StreamedSound(stream.listener)
        case SeriesStream():
            return StreamedSteps(stream.tagger)
        case EventStream():
            return StreamedEvents(stream.reading)


def add(app: FastAPI, streams: Streams, gate: Gate, metrics: Metrics) -> None:
    """Let an application read streams."""
    _add_streams(app, streams)
    _add_states(app, streams)
    _add_socket(app, streams, gate, metrics)


def _add_streams(app: FastAPI, streams: Streams) -> None:
    """Begin, read on, end."""
    of = streams.of

    @app.post("/streams", status_code=201, responses=RESPONSES, response_model=of.answer, summary="Begin a stream")
    async def make(request: Request) -> BaseModel:
        if (await request.body()).strip() not in (b"", b"{}"):
            raise UsageError("a stream begins with nothing read; send nothing, and what it reads to /streams/ID")
        return await streams.make()

    @app.post(
        "/streams/{name}",
        responses=MISSING | CONFLICT,
        response_model=of.answer,
        summary="Read on",
        openapi_extra={"requestBody": of.body} if of.body else None,
    )
    async def feed(name: Name, fed: Annotated[Any, Depends(of.asked)]) -> BaseModel:
        return await streams.feed(name, fed)

    @app.delete("/streams/{name}", status_code=204, responses=MISSING, summary="End a stream")
    async def end(name: Name) -> None:
        async with streams.sessions.lock(name):
            await streams.sessions.remove(name)


def _add_states(app: FastAPI, streams: Streams) -> None:
    """Save a state, and go on from one."""
    sessions = streams.sessions

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
        response_model=streams.of.answer,
        summary="Go on from a saved state, also of a stream that is new here",
        openapi_extra={"requestBody": {"required": True, "content": {BYTES: {}}}},
    )
    async def set_state(name: Name, request: Request) -> BaseModel:
        return await streams.set(name, await request.body())


def _add_socket(app: FastAPI, streams: Streams, gate: Gate, metrics: Metrics) -> None:
    """Read on message by message."""

    @app.websocket(FEED)
    async def talk(socket: WebSocket, name: str) -> None:
        """Every message is what POST takes, every answer JSON as POST gives it."""
        await socket.accept()
        try:
            while True:
                message = await socket.receive()
                if message["type"] == "websocket.disconnect":
                    return
                begun = time.monotonic()
                status, answer = await _answered(streams, gate, name, message)
                metrics.answered("WS", FEED, status, time.monotonic() - begun)
                await socket.send_json(answer)
                await asyncio.sleep(0)  # where many messages wait that are no requests, others have their turn between
        except WebSocketDisconnect:
            return


async def _answered(streams: Streams, gate: Gate, name: str, message: Message) -> tuple[int, dict[str, Any]]:
    """The answer to a message, or what is wrong with it, after the status that it would have over HTTP."""
    said = message.get("text")
    try:
        with gate:
            fed = streams.of.message(message["bytes"] if said is None else said)
            return 200, (await streams.feed(name, fed)).model_dump()
    except ValidationError as error:
        return 422, {"error": in_a_sentence(error.errors())}
    except ElmanError as error:
        return noted(error, f"WS {FEED}"), {"error": str(error)}
    except HTTPException as error:
        return error.status_code, {"error": error.detail}
