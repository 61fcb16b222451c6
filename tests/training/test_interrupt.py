"""Ctrl-C asks to finish; what a launcher passes on at once is the same Ctrl-C; another one later ends.

A terminal that closes asks as well, unless it is to be ignored.
"""

import queue
import signal

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


def test_the_same_signal_passed_on_asks_once_and_is_told_once(monkeypatch):
    told = queue.SimpleQueue()
    with interrupt.interruptible(lambda: told.put("asked")) as asked:
        assert told.empty()
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        assert asked.is_set()
        assert told.get(timeout=10) == "asked"
        assert told.empty()
        monkeypatch.setattr(interrupt, "SAME", -1.0)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_a_terminal_that_closes_asks_unless_that_is_ignored():
    with interrupt.interruptible(lambda: None) as asked:
        signal.raise_signal(signal.SIGHUP)
        assert asked.is_set()
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as under nohup
    try:
        with interrupt.interruptible(lambda: None) as asked:
            signal.raise_signal(signal.SIGHUP)
            assert not asked.is_set()
    finally:
        signal.signal(signal.SIGHUP, former)
