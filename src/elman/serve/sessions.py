"""Streams by identifier: the states used last in memory, the others in a store, from where they come back.

It knows states as bytes.
"""

import asyncio
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any
from weakref import WeakValueDictionary

from fastapi import HTTPException

from elman.errors import RunError, UsageError
from elman.serve.store import DAY, Store, TemporaryStore

IDENTIFIER = "[0-9a-f]{32}"


class Sessions:
    """So many states in memory at most.

    With a store that was given, a state is there before it counts as fed: what a client was told is never lost. Without
    one, states that have been used longest ago go to a database that ends with the process.
    """

    def __init__(self, store: Store | None, most: int, expire: float) -> None:
        """Begin.

        Args:
            store: where states outlive the process; None for nowhere.
            most: states in memory.
            expire: days after which a state in memory that nobody uses is forgotten, here and in the store.

        """
        self._store, self._given = store or TemporaryStore(expire), store is not None
        self._most, self._seconds = 0 if self._store.shared else most, max(1.0, DAY * expire)
        self._live: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @property
    def live(self) -> int:
        """How many states are in memory."""
        return len(self._live)

    @staticmethod
    def new() -> str:
        """Return an identifier that nobody can guess: who knows it, may read and feed the stream."""
        return secrets.token_hex(16)

    @staticmethod
    def check(name: str) -> None:
        """Raise UsageError where a name that a client has chosen is none that `new` could have given."""
        if not re.fullmatch(IDENTIFIER, name):
            raise UsageError(
                f"{name!r} names no stream; a name has 32 digits from 0 to f, best those of the old stream"
            )

    def lock(self, name: str) -> asyncio.Lock:
        """What is to be held from `get` to `put`: what is fed to one stream is read one after the other."""
        lock = self._locks.get(name)
        if lock is None:
            self._locks[name] = lock = asyncio.Lock()
        return lock

    async def get(self, name: str) -> bytes:
        """Return a state; 404 where there is none."""
        self._forget()
        if name in self._live:
            state, _ = self._live[name]
            self._remember(name, state)
            return state
        found = await asyncio.to_thread(self._store.get, name) if re.fullmatch(IDENTIFIER, name) else None
        if found is None:
            raise HTTPException(404, f"there is no stream {name}; POST /streams makes one")
        self._remember(name, found)
        return found

    async def put(self, name: str, state: bytes, before: bytes | None = None) -> None:
        """Set a state; 409 where another server has set it since it was `before`."""
        self._forget()
        if self._given:
            await _to_its_end(self._put(name, state, before))
        else:
            self._remember(name, state)

    async def _put(self, name: str, state: bytes, before: bytes | None) -> None:
        if before is None:
            await asyncio.to_thread(self._store.put, name, state)
        elif not await asyncio.to_thread(self._store.replace, name, state, before):
            raise HTTPException(409, f"the stream {name} was fed by way of another server meanwhile; send it again")
        self._remember(name, state)

    async def remove(self, name: str) -> None:
        """Forget a state; 404 where there is none."""
        await self.get(name)
        self._live.pop(name, None)
        await _to_its_end(asyncio.to_thread(self._store.remove, name))

    def close(self) -> None:
        """Leave the store to others; the end of the process does it too."""
        self._store.close()

    def _remember(self, name: str, state: bytes) -> None:
        """Keep a state in memory, and put the one that was used longest ago out of it."""
        if not self._most:
            return
        while name not in self._live and len(self._live) >= self._most:
            oldest, (value, _) = next(iter(self._live.items()))
            if not self._given:  # a few kilobytes, which nobody waits for to reach the disk
                self._store.put(oldest, value)
            del self._live[oldest]
        self._live[name] = state, time.monotonic()
        self._live.move_to_end(name)

    def _forget(self) -> None:
        """Forget what nobody has used for too long: those used longest ago stand first."""
        while self._live and next(iter(self._live.values()))[1] < time.monotonic() - self._seconds:
            name, _ = self._live.popitem(last=False)
            with suppress(RunError):  # it is another caller's stream; whoever asks for it is told
                self._store.remove(name)


async def _to_its_end(work: Coroutine[Any, Any, object]) -> None:
    """Wait for what must not be left half done, also where who asked for it has gone away meanwhile."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
