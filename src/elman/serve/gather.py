"""Questions that come at the same time are answered as one batch, which costs far less than one after the other.

It does not know what is asked. It needs no start and no end: a task lives while there is something to answer.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Generic, NamedTuple, TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Waiting(NamedTuple, Generic[Question, Answer]):
    """A question, how much of a batch it takes, and where its answer goes."""

    question: Question
    size: int
    answer: "asyncio.Future[Answer]"


class Gatherer(Generic[Question, Answer]):
    """Gathers questions while the batch before is computed, and a moment longer.

    A batch begins when as many questions have come as were in the last one, or when the longest time to wait is over:
    someone who asks alone never waits, and many who ask again and again stay together.
    """

    def __init__(
        self,
        answer: Callable[[list[Question]], Awaitable[Sequence[Answer | Exception]]],
        *,
        wait: float,
        most: int,
        seen: Callable[[int], object] = lambda _: None,
    ) -> None:
        """Prepare.

        Args:
            answer: computes a batch; what is wrong with a question is returned in the place of its answer.
            wait: milliseconds that a question waits for others.
            most: the size of a batch; a larger question makes one by itself.
            seen: is called with the size of each batch.

        """
        self._answer, self._wait, self._most, self._seen = answer, wait / 1000, most, seen
        self._waiting: deque[Waiting[Question, Answer]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._usual = 1
        self._enough: asyncio.Future[None] | None = None

    async def ask(self, question: Question, size: int = 1) -> Answer:
        """Return the answer to a question; raises what is wrong with it."""
        loop = asyncio.get_running_loop()
        asked: Waiting[Question, Answer] = Waiting(question, size, loop.create_future())
        self._waiting.append(asked)
        if self._enough is not None and not self._enough.done() and len(self._waiting) >= self._usual:
            self._enough.set_result(None)
        if self._task is None:
            self._task = loop.create_task(self._work())
        return await asked.answer

    async def _work(self) -> None:
        """Answer until nothing waits; where that fails all who wait are told, and the next question begins anew."""
        batch: list[Waiting[Question, Answer]] = []
        try:
            while self._waiting:
                if self._wait and len(self._waiting) < self._usual:
                    await self._linger()
                batch = self._batch()
                if batch:
                    self._usual = len(batch)
                    await self._settle(batch)
        except BaseException as error:  # libraries in Rust panic beside Exception
            for each in (*batch, *self._waiting):
                _deliver(each.answer, _failed(error))
            self._waiting.clear()
            if not isinstance(error, Exception):
                raise
        finally:
            self._task = None

    async def _linger(self) -> None:
        self._enough = asyncio.get_running_loop().create_future()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._enough, self._wait)

    def _batch(self) -> list[Waiting[Question, Answer]]:
        """The questions that have waited longest, without those that nobody waits for any more."""
        batch: list[Waiting[Question, Answer]] = []
        room = self._most
        while self._waiting and (not batch or self._waiting[0].size <= room):
            first = self._waiting.popleft()
            if not first.answer.done():
                batch.append(first)
                room -= first.size
        return batch

    async def _settle(self, batch: list[Waiting[Question, Answer]]) -> None:
        """Compute a batch; where that fails altogether, each question by itself."""
        self._seen(sum(each.size for each in batch))
        try:
            answers = await self._answer([each.question for each in batch])
        except Exception as error:  # noqa: BLE001 - whatever it is, it goes to those who asked
            if len(batch) > 1:
                for each in batch:
                    if not each.answer.done():
                        await self._settle([each])
                return
            answers = [error]
        for each, answer in list(zip(batch, answers, strict=True)):  # that none is missing is seen before one is sent
            _deliver(each.answer, answer)


def _failed(error: BaseException) -> Exception:
    """What those are told who wait when gathering itself fails."""
    failed = RuntimeError("questions that wait are not answered: what gathers them has failed")
    failed.__cause__ = error
    return failed


def _deliver(future: "asyncio.Future[Any]", answer: Any) -> None:
    if future.done():
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
