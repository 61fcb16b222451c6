"""Ctrl-C as a request: the first asks to finish, the second to leave out what takes long, the third ends at once."""

import _thread
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

SAME = 1.0
"""Seconds in which a further signal is the last one again: launchers pass on what the terminal has told everybody."""
HURRY = 2
"""The signal from which on what takes long is left out."""

Found = TypeVar("Found")


class Cut(KeyboardInterrupt):
    """A signal came in the midst of what it cuts short."""


class Interruption:
    """What signals have asked for so far.

    Attributes:
        signals: how many came.
    """

    def __init__(self) -> None:
        self.signals = 0
        self._inside = False

    @property
    def asked(self) -> bool:
        """Whether an end was asked for."""
        return self.signals > 0

    def nothing_left_to_end(self) -> None:
        """Take the first signal as given: what it asks for has come about, and the next one is the second."""
        self.signals = max(1, self.signals)

    def count(self) -> None:
        """Take a signal, and end what it cuts short."""
        self.signals += 1
        if self._inside:
            self._inside = False
            raise Cut

    def unless_cut(self, work: Callable[[], Found]) -> Found | None:
        """Return what `work` returns; None where a signal ends it, or where two have come before it.

        The signal ends it wherever it is, so it should leave nothing behind but what it returns.
        """
        if self.signals >= HURRY:
            return None
        try:
            try:
                self._inside = True
                return work()
            finally:
                self._inside = False
        except Cut:
            return None


def endings() -> list[signal.Signals]:
    """The signals that end a process from outside, SIGTERM and SIGHUP, without those that it is told to ignore."""
    known = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    return [number for number in known if signal.getsignal(number) is not signal.SIG_IGN]


@contextmanager
def interruptible(told: Callable[[int], None]) -> Iterator[Interruption]:
    """Yield what SIGINT, SIGTERM and SIGHUP ask for, and call `told` with their number; the third acts as before.

    `told` runs in a thread of its own, as the signal may come amid a write to the stream that it writes to.

    SIGHUP, which comes when a terminal closes, stays ignored where it is, as under nohup.

    Outside the main thread, where Python delivers no signals, nothing is ever asked for.
    """
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    former = {number: signal.getsignal(number) for number in (signal.SIGINT, *endings())}

    def restore() -> None:
        for number, handler in former.items():
            signal.signal(number, handler)

    last = -SAME

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal last
        del frame
        if (now := time.monotonic()) - last <= SAME:
            return
        last = now
        if interruption.signals >= HURRY:
            restore()
            signal.raise_signal(number)
            return
        _thread.start_new_thread(told, (interruption.signals + 1,))
        interruption.count()

    for number in former:
        signal.signal(number, ask)
    try:
        yield interruption
    finally:
        restore()
