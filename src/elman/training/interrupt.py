"""Ctrl-C as a request: the first asks to finish cleanly, the second ends at once."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SAME = 1.0
"""Seconds in which a second signal is the first one again: launchers pass on what the terminal has told everybody."""


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Yield an event that SIGINT or SIGTERM sets; another one later acts as it did before.

    Outside the main thread, where Python delivers no signals, the event is never set.
    """
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    former = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

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
        elif time.monotonic() - asked > SAME:
            restore()
            signal.raise_signal(number)

    for number in former:
        signal.signal(number, ask)
    try:
        yield event
    finally:
        restore()
