"""/generate: text as it comes into being, as server-sent events, or plain where that is asked for.

A client that goes away ends the work: nothing is drawn that nobody takes.
"""

import json
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Annotated, Any

from fastapi import FastAPI, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import StreamingResponse

from elman.run.run import Run
from elman.serve.failures import RESPONSES
from elman.serve.words import Text
from elman.serve.worker import Worker

TURN = 0.02
"""Seconds that text is written for before others have their turn. What was written meanwhile is sent as one piece."""

LAST = "end"
"""The identifier of the last event. A browser's EventSource sends it when it connects again, which it does unasked."""

EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"text/event-stream": {"schema": {"type": "string"}}, "text/plain": {"schema": {"type": "string"}}},
        "description": 'Events with {"text": ...} as data, then one named `end`; or, to `Accept: text/plain`, the text',
    }
}


class Wanted(BaseModel):
    """What to write, as `elman generate` takes it."""

    model_config = ConfigDict(extra="forbid")

    prompt: Text = Field("", description="what the text begins with; it is not repeated")
    length: int = Field(500, description="how many symbols to write")
    temperature: float = Field(0.8, description="0: always the most probable symbol; 1: as learnt", allow_inf_nan=False)
    top_k: int | None = Field(None, description="draw from the k most probable symbols")
    top_p: float | None = Field(None, description="draw from the fewest symbols that add up to p")
    seed: int = Field(0, description="seed of the draws", ge=-(1 << 63), lt=1 << 63)


def add(app: FastAPI, run: Run, worker: Worker) -> None:
    """Let an application write."""

    async def write(wanted: Wanted, accept: str) -> Response:
        pieces = await worker.do(partial(run.generate, **wanted.model_dump()))
        plain = "text/plain" in accept and "text/event-stream" not in accept
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # nor may a proxy keep pieces back
        body = _turns(pieces, worker) if plain else _events(_turns(pieces, worker))
        return StreamingResponse(body, headers=headers, media_type="text/plain" if plain else "text/event-stream")

    @app.post("/generate", responses=RESPONSES | EVENTS, response_class=StreamingResponse, summary="Write text")
    async def generate(wanted: Wanted, accept: Annotated[str, Header()] = "") -> Response:
        return await write(wanted, accept)

    @app.get(
        "/generate",
        responses=RESPONSES | EVENTS,
        response_class=StreamingResponse,
        summary="Write text, for a browser's EventSource",
    )
    async def generate_by_get(
        wanted: Annotated[Wanted, Query()],
        accept: Annotated[str, Header()] = "",
        last_event_id: Annotated[str, Header()] = "",
    ) -> Response:
        if last_event_id == LAST:
            return Response(status_code=204)  # which tells an EventSource to stay away
        return await write(wanted, accept)


async def _turns(pieces: Iterator[str], worker: Worker) -> AsyncIterator[str]:
    """Text, a turn at a time."""
    while (text := await worker.do(_turn, pieces)) is not None:
        if text:
            yield text


def _turn(pieces: Iterator[str]) -> str | None:
    """What is written in one turn; None at the end."""
    found: list[str] = []
    until = time.monotonic() + TURN
    for piece in pieces:
        found.append(piece)
        if time.monotonic() > until:
            break
    return "".join(found) if found else None


async def _events(turns: AsyncIterator[str]) -> AsyncIterator[str]:
    async for text in turns:
        yield f"data: {json.dumps({'text': text})}\n\n"
    yield f"event: {LAST}\nid: {LAST}\ndata: {{}}\n\n"
