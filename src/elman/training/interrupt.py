"""Ctrl-C as a request: the first asks to finish cleanly, the second ends at once."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Yield an event that SIGINT or SIGTERM sets; a second one acts as it did before.

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

    def ask(number: int, frame: FrameType | None) -> None:
        del number, frame
        event.set()
        restore()

    for number in former:
        signal.signal(number, ask)
    try:
        yield event
    finally:
        restore()
