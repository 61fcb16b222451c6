"""Whoever floods a WebSocket takes no memory, and nobody else's time."""

import asyncio

import pytest
import uvicorn
from uvicorn.server import ServerState

from elman.serve import application
from elman.serve.sockets import OneByOne

SHAKE = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
SHAKE += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
EMPTY = b"\x81\x80\0\0\0\0"
"""A message without anything in it."""
COUNT = 20_000


class Wire(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self):
        super().__init__()
        self.written, self.paused = b"", False

    def write(self, data):
        self.written += data

    def pause_reading(self):
        self.paused = True

    def resume_reading(self):
        self.paused = False

    def is_closing(self):
        return False

    def close(self):
        """Nothing is to be closed."""


def connected(config):
    """A WebSocket that has been accepted, and its transport."""
    socket, wire = OneByOne(config, ServerState(), {}), Wire()
    socket.connection_made(wire)
    socket.data_received(f"{SHAKE}\r\n".encode())
    return socket, wire


def test_what_waits_is_not_taken_apart():
    counts, waited, heard = [], [], asyncio.Event()

    async def listen(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] == "websocket.receive":
            counts.append(1)
            if len(counts) == COUNT:
                heard.set()

    async def flood():
        socket, wire = connected(uvicorn.Config(listen, lifespan="off"))
        socket.data_received(EMPTY * COUNT)
        waited.append(socket.queue.qsize())
        assert wire.paused
        await heard.wait()
        assert not wire.paused

    asyncio.run(asyncio.wait_for(flood(), 60))
    assert 0 < waited[0] <= 1000


@pytest.mark.parametrize("said", [b"", b"{}"])
def test_others_have_their_turn_between(run, said):
    answered = []

    async def ask():
        async def receive():
            if len(answered) < 100:
                return {"type": "websocket.receive", "bytes": said}
            return {"type": "websocket.disconnect", "code": 1000}

        async def send(message):
            answered.append(message)

        scope = {"type": "websocket", "path": "/streams/x/feed", "headers": [], "query_string": b"", "asgi": {}}
        begun, longest = 0, 0
        talk = asyncio.create_task(application(run)(scope, connect_first(receive), send))
        while not talk.done():
            await asyncio.sleep(0)
            longest, begun = max(longest, len(answered) - begun), len(answered)
        await talk
        return longest

    assert asyncio.run(ask()) <= 2
    assert len(answered) > 90


def connect_first(receive):
    """What an application receives, after the message that somebody connects."""
    said = [{"type": "websocket.connect"}]

    async def first():
        return said.pop() if said else await receive()

    return first
