"""What a run cannot do, answered by the sentence that says why, and what can: instead of "there is no such place".

It does not know why: the run says it.
"""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, WebSocket
from starlette.exceptions import HTTPException

from elman.errors import UsageError
from elman.run.run import Run

METHODS = ["GET", "POST", "PUT", "DELETE"]


def add(app: FastAPI, run: Run) -> None:
    """Let an application say what its run cannot do."""
    if not run.generates:
        _add(app, "/generate", _why(run.generate))
    if not run.streams:
        said = _why(run.stream)
        for path in ("/streams", "/streams/{name}", "/streams/{name}/state"):
            _add(app, path, said)

        @app.websocket("/streams/{name}/feed")
        async def talk(socket: WebSocket) -> None:
            await socket.accept()
            await socket.send_json({"error": said})
            await socket.close(1008)


def _add(app: FastAPI, path: str, said: str) -> None:
    @app.api_route(path, methods=METHODS, include_in_schema=False)
    async def refuse() -> None:
        raise HTTPException(404, said)


def _why(attempt: Callable[[], Any]) -> str:
    """What a run says of something that it does not do."""
    try:
        attempt()
    except UsageError as error:
        return str(error)
    raise AssertionError("this run does what it is said not to do")
