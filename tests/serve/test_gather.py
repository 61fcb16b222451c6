"""Questions are gathered, and none pays for another."""

import asyncio
import time

import pytest

from elman.serve.gather import Gatherer


def in_time(asked):
    """Run it, and fail where it would wait for ever."""
    return asyncio.run(asyncio.wait_for(asked, 60))


def gathered(questions, answer=None, **options):
    """Ask all at once; return what came back, errors too, and the batches that were computed."""
    batches = []

    async def answered(batch):
        batches.append(batch)
        await asyncio.sleep(0.005)
        return [answer(question) if answer else 2 * question for question in batch]

    async def ask():
        gatherer = Gatherer(answered, **{"wait": 50.0, "most": 100} | options)
        asked = [gatherer.ask(question, size) for question, size in questions]
        return await asyncio.gather(*asked, return_exceptions=True)

    return in_time(ask()), batches


def test_what_comes_together_is_answered_together():
    answers, batches = gathered([(k, 1) for k in range(10)])
    assert answers == [2 * k for k in range(10)]
    assert batches == [list(range(10))]


def test_a_batch_has_its_size_and_order():
    _, batches = gathered([(0, 3), (1, 3), (2, 3), (3, 100), (4, 1)], most=6)
    assert batches == [[0, 1], [2], [3], [4]]


def test_one_who_asks_alone_does_not_wait():
    async def ask():
        async def answered(batch):
            return batch

        gatherer = Gatherer(answered, wait=10_000, most=100)
        for question in range(3):
            assert await gatherer.ask(question) == question

    begin = time.monotonic()
    in_time(ask())
    assert time.monotonic() - begin < 5


def test_those_who_ask_again_and_again_stay_together():
    batches = []

    async def ask():
        async def answered(batch):
            batches.append(len(batch))
            await asyncio.sleep(0.001)
            return batch

        gatherer = Gatherer(answered, wait=600_000, most=100)

        async def client(name):
            for _ in range(5):
                await gatherer.ask(name)
                await asyncio.sleep(0.0005 * name)  # one after the other, so that without waiting they would scatter

        await asyncio.gather(*(client(name) for name in range(8)))

    in_time(ask())
    assert batches == [8] * 5


def test_one_who_asks_after_many_waits_for_them_no_longer_than_is_said():
    async def ask():
        async def answered(batch):
            return batch

        gatherer = Gatherer(answered, wait=50, most=100)
        await asyncio.gather(*(gatherer.ask(question) for question in range(3)))
        begin = time.monotonic()
        assert await gatherer.ask(3) == 3
        return time.monotonic() - begin

    assert in_time(ask()) >= 0.04


def test_an_error_goes_to_who_asked():
    answers, batches = gathered([(1, 1), (2, 1), (3, 1)], lambda q: ValueError("two") if q == 2 else q)
    assert answers[::2] == [1, 3]
    assert str(answers[1]) == "two"
    assert batches == [[1, 2, 3]]


def test_where_a_batch_fails_altogether_each_is_answered_by_itself():
    def answer(question):
        if question == 2:
            raise ValueError("two")
        return question

    answers, batches = gathered([(1, 1), (2, 1)], answer)
    assert answers[0] == 1
    assert str(answers[1]) == "two"
    assert batches == [[1, 2], [1], [2]]


def left_by_the_second(most, answered):
    """What the others of three callers get, and the batches that were computed, where the second one leaves."""
    batches = []

    async def ask():
        async def remembered(batch):
            batches.append(batch)
            await asyncio.sleep(0.01)
            return answered(batch)

        gatherer = Gatherer(remembered, wait=0, most=most)
        tasks = [asyncio.create_task(gatherer.ask(question)) for question in range(3)]
        await asyncio.sleep(0.002)
        tasks[1].cancel()
        with pytest.raises(asyncio.CancelledError):
            await tasks[1]
        return [await tasks[0], await tasks[2]]

    return in_time(ask()), batches


def test_what_nobody_waits_for_is_not_computed():
    assert left_by_the_second(1, lambda batch: batch) == ([0, 2], [[0], [2]])


def test_where_all_have_gone_nothing_is_computed():
    batches = []

    async def ask():
        async def answered(batch):
            batches.append(batch)
            await asyncio.sleep(0.01)
            return batch

        gatherer = Gatherer(answered, wait=0, most=1)
        first, second = (asyncio.create_task(gatherer.ask(question)) for question in range(2))
        await asyncio.sleep(0.002)
        second.cancel()
        assert await first == 0
        assert await gatherer.ask(2) == 2

    in_time(ask())
    assert batches == [[0], [2]]


def test_where_a_batch_fails_nothing_is_computed_again_for_who_has_gone():
    def alone(batch):
        if len(batch) > 1:
            raise ValueError("together")
        return batch

    assert left_by_the_second(100, alone) == ([0, 2], [[0, 1, 2], [0], [2]])


@pytest.mark.parametrize("how", ["answers are missing", "a panic", "no one can count"])
def test_where_gathering_fails_all_who_wait_are_told_and_the_next_is_answered(how):
    class Panic(BaseException):
        pass

    well = []

    async def answered(batch):
        await asyncio.sleep(0.001)
        if how == "a panic" and not well:
            raise Panic
        return batch if well else batch[1:]

    def seen(_):
        if how == "no one can count" and not well:
            raise ValueError(how)

    async def ask():
        gatherer = Gatherer(answered, wait=0, most=2, seen=seen)
        found = await asyncio.gather(*(gatherer.ask(k) for k in range(5)), return_exceptions=True)
        well.append(True)
        return found, await gatherer.ask(5)

    found, after = in_time(ask())
    assert [type(each) for each in found] == [RuntimeError] * 5
    assert all(each.__cause__ for each in found)  # which the log then shows
    assert after == 5
