"""Ctrl-C asks to finish; what a launcher passes on at once is the same Ctrl-C; another one later ends."""

import signal

import pytest

from elman.training import interrupt


def test_the_same_signal_passed_on_asks_once(monkeypatch):
    with interrupt.interruptible() as asked:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        assert asked.is_set()
        monkeypatch.setattr(interrupt, "SAME", -1.0)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
