"""The door of a service: so many requests inside at a time, each of so many bytes, and the next ones are sent away.

It knows HTTP and nothing of what is behind it.
"""

from typing import Any

from fastapi import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

RETRY = {"Retry-After": "1"}


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
    """Middleware: requests pass the gate, and their bodies are measured as they come. Asking for health is free."""

    def __init__(self, app: ASGIApp, gate: Gate, body: int, free: str) -> None:
        self._app, self._gate, self._body, self._free = app, gate, body, free

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one on."""
        free = scope["type"] == "http" and scope["method"] == "GET" and scope["path"].endswith(self._free)
        if free or scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            self._check(dict(scope["headers"]).get(b"content-length"))
            with self._gate:
                await self._app(scope, _measured(receive, self._body), send)
        except HTTPException as refusal:
            response = JSONResponse({"error": refusal.detail}, refusal.status_code, refusal.headers)
            await response(scope, receive, send)

    def _check(self, announced: bytes | None) -> None:
        if announced is not None and announced.isdigit() and int(announced) > self._body:
            raise _too_long(self._body)


def _measured(receive: Receive, most: int) -> Receive:
    """The same, which raises 413 once more has come than was allowed, whatever was announced."""
    came = 0

    async def measured() -> Message:
        nonlocal came
        message: Any = await receive()
        came += len(message.get("body", b""))
        if came > most:
            raise _too_long(most)
        return message  # type: ignore[no-any-return]

    return measured


def _too_long(most: int) -> HTTPException:
    return HTTPException(413, f"the request has more than {most:,} bytes; send less at a time")
