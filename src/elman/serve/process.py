"""A service as a process: an address, one line that tells it, and an end that lets running requests finish.

It does not know what is served.
"""

import asyncio
import errno
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import uvicorn

from elman import files
from elman.errors import RunError
from elman.serve.sockets import OneByOne

STALLED = 60
"""Seconds that a caller may leave an answer untaken, or be out of reach, before the connection is cut."""


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that listens at an address; port 0 stands for any that is free.

    Raises:
        RunError: if it cannot be had; the text says why.

    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:  # the latter of a name with a part of more than 63 characters
        why = error.strerror if isinstance(error, OSError) else error
        raise RunError(f"there is no address {host!r} ({why}); give another --host") from error
    family, kind, protocol, _, address = found[0]
    listening = socket.socket(family, kind, protocol)
    try:
        if sys.platform != "win32":  # where it would let two services have one port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # in Linux; connections have it from here
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * STALLED)
        listening.bind(address)
        listening.listen(2048)
    except OSError as error:
        listening.close()
        other = "--host" if error.errno == errno.EADDRNOTAVAIL else "--port"
        raise RunError(f"cannot listen on {host}:{port}: {files.reason(error)}; give another {other}") from error
    return listening


def address(listening: socket.socket) -> str:
    """Return the URL of what listens here."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def run(
    app: Any,
    listening: socket.socket,
    ready: Callable[[], None],
    *,
    message: int,
    grace: int,
    root_path: str,
) -> None:
    """Serve until the process is told to end; what goes wrong is told on standard error, with the time.

    Args:
        app: an ASGI application.
        listening: where, as `bind` gives it.
        ready: is called once requests are answered.
        message: bytes of a message over a WebSocket at most.
        grace: seconds that running requests may take when the end has come.
        root_path: the path under which a proxy has the service, which it takes off before it asks here.

    """
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", datefmt="%Y-%m-%dT%H:%M:%S%z")
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=grace,
        root_path=root_path,
        ws=OneByOne,
        ws_max_size=message,
        ws_per_message_deflate=False,  # a kilobyte would become a megabyte
    )
    server, errors = _Server(config, ready), logging.getLogger("uvicorn.error")
    errors.addFilter(_told_already)
    before = {each: signal.signal(each, _nothing) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        server.run(sockets=[listening])  # it has handlers of its own, and raises the signal once more at its end
    finally:
        errors.removeFilter(_told_already)
        for each, handler in before.items():
            signal.signal(each, handler)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            await asyncio.to_thread(self._ready)


def _nothing(*_: object) -> None:
    """What the signals do once uvicorn has ended by them: it raises them again, and the process ends with status 0."""


def _told_already(record: logging.LogRecord) -> bool:
    """Whether a line is not the traceback of a request that the end has cut off: how many were is told in one line."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


def leave() -> NoReturn:
    """End the process with status 0, without waiting for threads: what a model computes cannot be stopped."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
