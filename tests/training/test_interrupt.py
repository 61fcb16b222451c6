"""Ctrl-C asks to finish; what a launcher passes on at once is the same Ctrl-C; the second hurries, the third ends.

A terminal that closes asks as well, unless it is to be ignored.
"""

import queue
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from elman.training import interrupt


@pytest.fixture(autouse=True)
def as_at_a_terminal():
    """Neither is ignored, as in a background job or under nohup."""
    former = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in former.items():
        signal.signal(number, handler)


def test_the_same_signal_passed_on_asks_once_and_is_told_once():
    told = queue.SimpleQueue()
    with interrupt.interruptible(told.put) as asked:
        assert told.empty()
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        assert asked.signals == 1
        assert told.get(timeout=10) == 1
        assert told.empty()


def test_the_third_signal_ends_at_once(monkeypatch):
    monkeypatch.setattr(interrupt, "SAME", -1.0)
    with interrupt.interruptible(lambda _: None) as asked:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        assert asked.signals == 2
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_work_is_cut_by_the_signal_that_meets_it_and_not_begun_after_the_second(monkeypatch):
    monkeypatch.setattr(interrupt, "SAME", -1.0)
    done = []

    def work(*signals):
        done.append("begun")
        for number in signals:
            signal.raise_signal(number)
        done.append("ended")
        return 1.0

    with interrupt.interruptible(lambda _: None) as asked:
        assert asked.unless_cut(lambda: work(signal.SIGINT)) is None
        assert asked.unless_cut(work) == 1.0
        assert asked.unless_cut(lambda: work(signal.SIGTERM)) is None
        assert asked.unless_cut(work) is None
    assert done == ["begun", "begun", "ended", "begun"]


def test_a_signal_that_comes_while_work_that_was_cut_cleans_up_lets_it(monkeypatch):
    monkeypatch.setattr(interrupt, "SAME", -1.0)
    cleaned = []

    def work():
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            signal.raise_signal(signal.SIGINT)
            cleaned.append(True)

    with interrupt.interruptible(lambda _: None) as asked:
        assert asked.unless_cut(work) is None
        assert asked.signals == 2
    assert cleaned == [True]


def test_a_signal_that_meets_no_such_work_only_asks():
    with interrupt.interruptible(lambda _: None) as asked:
        assert asked.unless_cut(lambda: 1.0) == 1.0
        signal.raise_signal(signal.SIGINT)
        assert asked.signals == 1


def test_where_nothing_is_left_to_end_the_first_signal_hurries():
    with interrupt.interruptible(lambda _: None) as asked:
        asked.nothing_left_to_end()
        assert asked.unless_cut(lambda: 1.0) == 1.0
        signal.raise_signal(signal.SIGINT)
        asked.nothing_left_to_end()
        assert asked.signals == 2
        assert asked.unless_cut(lambda: 1.0) is None


def test_afterwards_signals_do_what_they_did_before():
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    with interrupt.interruptible(lambda _: None):
        assert [signal.getsignal(number) for number in numbers] != before
    assert [signal.getsignal(number) for number in numbers] == before


def test_in_another_thread_nothing_is_asked_for():
    def training():
        with interrupt.interruptible(lambda _: None) as asked:
            return asked.asked

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(training).result(timeout=60) is False


def test_a_terminal_that_closes_asks_unless_that_is_ignored():
    with interrupt.interruptible(lambda _: None) as asked:
        signal.raise_signal(signal.SIGHUP)
        assert asked.asked
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as under nohup
    try:
        with interrupt.interruptible(lambda _: None) as asked:
            signal.raise_signal(signal.SIGHUP)
            assert not asked.asked
    finally:
        signal.signal(signal.SIGHUP, former)
