"""WebSockets of which one message at a time is taken apart, so that whoever floods takes no memory and no time.

uvicorn takes all messages apart that came in one go: 43,000 empty ones are in 256 KB. It does not know what they say.
"""

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

PIECE = 4096
"""Bytes that are taken apart in one go."""


class OneByOne(WebSocketsSansIOProtocol):
    """Takes no more apart while a message waits: what has come stays bytes, and no more is taken from the network."""

    _left = b""

    def data_received(self, data: bytes) -> None:
        """Take what the network gives, once it is not paused."""
        self._left += data
        self._go_on()

    async def receive(self) -> Any:
        """Return the next message, and look for the one behind it."""
        message = await super().receive()
        self._go_on()
        return message

    def _go_on(self) -> None:
        while self._left and not self.read_paused and not self.transport.is_closing():
            piece, self._left = self._left[:PIECE], self._left[PIECE:]
            super().data_received(piece)
