"""Ctrl-C as a request: the first asks to finish cleanly, the second ends at once."""

import _thread
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SAME = 1.0
"""Seconds in which a second signal is the first one again: launchers pass on what the terminal has told everybody."""


def endings() -> list[signal.Signals]:
    """The signals that end a process from outside, SIGTERM and SIGHUP, without those that it is told to ignore."""
    known = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    return [number for number in known if signal.getsignal(number) is not signal.SIG_IGN]


@contextmanager
def interruptible(told: Callable[[], None]) -> Iterator[threading.Event]:
    """Yield an event that SIGINT, SIGTERM or SIGHUP sets, and call `told`; another one later acts as it did before.

    `told` runs in a thread of its own, as the signal may come amid a write to the stream that it writes to.

    SIGHUP, which comes when a terminal closes, stays ignored where it is, as under nohup.

    Outside the main thread, where Python delivers no signals, the event is never set.
    """
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    former = {number: signal.getsignal(number) for number in (signal.SIGINT, *endings())}

    def restore() -> None:
        for number, handler in former.items():
            signal.signal(number, handler)

    asked = 0.0

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        del frame
        if not event.is_set():
            event.set()
            asked = time.monotonic()
            _thread.start_new_thread(told, ())
        elif time.monotonic() - asked > SAME:
            restore()
            signal.raise_signal(number)

    for number in former:
        signal.signal(number, ask)
    try:
        yield event
    finally:
        restore()
