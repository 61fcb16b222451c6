"""The one thread in which a model runs, so that the event loop stays free.

Torch shares a step among its own threads; two steps at a time would only take them from each other. It does not know
what it is given to do.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


class Worker:
    """Does one thing after the other, in the order in which they come.

    Attributes:
        busy: whether something is being done, also where nobody waits for it any more: it cannot be stopped.
        seconds: how long things have been done in all.

    """

    def __init__(self) -> None:
        self.busy, self.seconds = False, 0.0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="elman-model")

    async def do(self, function: Callable[..., Result], *arguments: object) -> Result:
        """Return what a function returns, called in the thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._do, function, *arguments)

    def _do(self, function: Callable[..., Result], *arguments: object) -> Result:
        self.busy, begun = True, time.monotonic()
        try:
            return function(*arguments)
        except StopIteration as error:  # before Python 3.12 no future takes it, and who waits would wait for ever
            raise RuntimeError("StopIteration came out of a function") from error
        finally:
            self.busy, self.seconds = False, self.seconds + time.monotonic() - begun
