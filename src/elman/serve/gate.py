"""The door of a service: so many requests inside at a time, each of so many bytes, and the next ones are sent away.

It knows HTTP and nothing of what is behind it.
"""

import asyncio
from typing import Any

from fastapi import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

RETRY = {"Retry-After": "1"}
PATIENCE = 30.0
"""Seconds that a body may take, and"""
SLOWEST = 10_000
"""bytes a second that give it more: who sends one at a time would keep others out for ever."""


class Gate:
    """Counts who is inside."""

    def __init__(self, most: int) -> None:
        self.most, self.inside = most, 0

    def __enter__(self) -> None:
        """Let one in, or raise the 503 that says to come back."""
        if self.inside >= self.most:
            raise HTTPException(503, f"{self.inside} requests are in work already; ask again in a second", RETRY)
        self.inside += 1

    def __exit__(self, *_: object) -> None:
        """Let one out."""
        self.inside -= 1


class Door:
    """Middleware: requests pass the gate, and their bodies are measured as they come; what is free is let in always."""

    def __init__(self, app: ASGIApp, gate: Gate, body: int, free: tuple[str, ...]) -> None:
        self._app, self._gate, self._body, self._free = app, gate, body, free

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one on."""
        free = scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and scope["path"].endswith(self._free)
        if free or scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            self._check(dict(scope["headers"]).get(b"content-length"))
            with self._gate:
                await _Asked(receive, send, self._body).answer(self._app, scope)
        except HTTPException as refusal:
            response = JSONResponse({"error": refusal.detail}, refusal.status_code, refusal.headers)
            await response(scope, receive, send)

    def _check(self, announced: bytes | None) -> None:
        if announced is not None and announced.isdigit() and int(announced) > self._body:
            raise _too_long(self._body)


class _Asked:
    """A request, its body measured until it is whole or answered: 413 where it is too long, 408 where too slow.

    Whoever goes away then ends what is done for him: it is cancelled where it waits next, for the model or for a turn.
    """

    def __init__(self, receive: Receive, send: Send, most: int) -> None:
        self._receive, self._send, self._most = receive, send, most
        self._came, self._done, self._begun = 0, False, asyncio.get_running_loop().time()
        self._whole, self._here, self._gone = False, asyncio.timeout(None), asyncio.Event()
        self._watch: asyncio.Task[None] | None = None

    async def answer(self, app: ASGIApp, scope: Scope) -> None:
        try:
            async with self._here:
                await app(scope, self.receive, self.send)
        except TimeoutError:
            if not self._here.expired():
                raise
        finally:
            if self._watch is not None:
                self._watch.cancel()

    async def receive(self) -> Message:
        if self._watch is not None:
            await self._gone.wait()
            return {"type": "http.disconnect"}
        if self._done:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._begun + PATIENCE + self._came / SLOWEST):
                message: Any = await self._receive()
        except TimeoutError:
            if self._done:
                return await self._receive()
            said = f"the body has not come whole within {PATIENCE:g} seconds; send it faster"
            raise HTTPException(408, said, {"Connection": "close"}) from None
        self._came += len(message.get("body", b""))
        if self._came > self._most and not self._done:
            raise _too_long(self._most)
        if not self._done and not message.get("more_body", False):
            self._done, self._watch = True, asyncio.create_task(self._until_gone())
        return message  # type: ignore[no-any-return]

    async def send(self, message: Message) -> None:
        self._done = True
        self._whole = message["type"] == "http.response.body" and not message.get("more_body", False)
        await self._send(message)

    async def _until_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone.set()
        if not self._whole:
            self._here.reschedule(0)


def _too_long(most: int) -> HTTPException:
    return HTTPException(413, f"the request has more than {most:,} bytes; send less at a time")
