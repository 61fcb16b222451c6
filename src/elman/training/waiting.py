"""How torch's threads wait for one another in training, beside other work on the same processors; for speed alone.

Threads of OpenMP that have nothing to do spin: the next parallel region begins at once, where a sleep takes longer. But
where another process has taken the processor of one of them, the others spin away the time that all of them need, and
training is several times slower. libgomp lets them sleep while more of its threads are alive than there are processors:
so a team of idle threads is what makes the others sleep, and its end what makes them spin again.
"""

import ctypes
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import torch

from elman.engine import openmp

WINDOW, UPDATES, SLOW = 0.5, 4, 2.0
"""How many seconds, and updates, a look at the processors takes; so many seconds are enough, whatever the updates."""

BUSY, IDLE = 0.2, 0.05
"""The share of the time that all threads together are ready to run and do not: more than BUSY beside other work, less
than IDLE without."""

SHORTEST, LONGEST = 2.0, 32.0
"""Seconds until the other way of waiting is tried again: twice as many each time."""

TASKS = Path("/proc/self/task")


class Waiting:
    """Lets torch's threads sleep instead of spin, where other processes want their processors and training gains by it.

    For a training loop of one's own, whatever its layers; `elman train` does so by itself:

        with elman.Waiting() as waiting:
            for batch in batches:
                ...
                waiting.updated()

    Which is faster is measured while training goes on, every half a minute at least. The results are the same. It takes
    Linux, and a torch that runs in GNU's OpenMP, as it does there; elsewhere nothing is changed.
    """

    def __init__(self) -> None:
        self._wake: Callable[[], None] | None = None  # while threads sleep
        self._spinning: float | None = None  # updates a second before, while sleep is on trial
        self._kept, self._until = SHORTEST, 0.0
        self._look()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Let threads wait as they did."""
        if self._wake is not None:
            self._toggle()

    def updated(self) -> None:
        """Take note of an update of the weights."""
        self._updates += 1
        now = time.perf_counter()
        seconds = now - self._begun
        if seconds < (WINDOW if self._updates >= UPDATES else SLOW):
            return
        speed, share = self._updates / seconds, (waited() - self._before) / seconds
        if self._spinning is not None:
            self._until, self._kept = now + self._kept, min(2 * self._kept, LONGEST)
            if speed <= self._spinning:
                self._toggle()
            self._spinning = None
        elif self._wake is not None:
            if share < IDLE or now >= self._until:
                self._toggle()
                self._until = now
        elif share < BUSY:
            self._kept = SHORTEST
        elif now >= self._until:
            self._toggle()
            self._spinning = speed
        self._look()

    def _toggle(self) -> None:
        if self._wake is None:
            self._wake = sleep()
        else:
            self._wake()
            self._wake = None

    def _look(self) -> None:
        self._updates, self._begun, self._before = 0, time.perf_counter(), waited()


def waited() -> float:
    """The seconds that all threads of this process were ready to run and did not, by Linux's count.

    Zero elsewhere, and where one thread has no other to wait for.
    """
    if torch.get_num_threads() == 1 or not TASKS.exists():
        return 0.0
    total = 0
    for task in TASKS.iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[1])
        except (OSError, IndexError):  # a thread that has ended meanwhile, or a kernel that does not count
            continue
    return total / 1e9


def sleep() -> Callable[[], None]:
    """Let torch's threads sleep where they would spin, until the function that is returned is called.

    Where they are so few that it would take more than as many again, they spin on: a process may have no more threads.
    """
    threads, library = torch.get_num_threads(), openmp.torchs("GOMP_parallel", "free")
    idle = max(2, len(os.sched_getaffinity(0)) - threads + 2)
    there, over = threading.Event(), threading.Event()

    def stay() -> None:
        if library is not None and idle <= threads + 2:
            library.GOMP_parallel(ctypes.cast(library.free, ctypes.c_void_p), None, idle, 0)  # what they do is nothing
        there.set()
        over.wait()

    thread = threading.Thread(target=stay, daemon=True)
    thread.start()
    there.wait()

    def wake() -> None:
        over.set()
        thread.join()

    return wake
