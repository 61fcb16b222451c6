"""How time is taken: contenders in turn, round after round, in one process.

It does not know what the contenders do. Rounds are what makes ratios trustworthy on a machine whose speed drifts: a
ratio is taken within each round, and the median over the rounds is reported.
"""

import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

TURN_SECONDS = 0.02
"""A contender's turn is one call, or as many as fill this time: short calls then run as they do in a loop."""

MOST_CALLS = 1000

PAUSE_SECONDS = 0.01
IDLE = 0.2
MOST_PAUSES = 30
"""Before each turn there are pauses, until in one of them this process takes less than this share of a core. A
contender's threads spin after a call, waiting for more: ONNX Runtime's for 20 to 42 ms, torch's for up to 6, JAX's for
2. They would take the cores from whoever comes next.
"""

LEAST_ROUNDS = 3


@dataclass(frozen=True)
class Budget:
    """How long a row is measured: a number of rounds, or seconds and at least three rounds."""

    rounds: int | None = None
    seconds: float | None = None

    def allows(self, done: int, spent: float) -> bool:
        """Whether there is to be another round after `done` rounds and `spent` seconds."""
        if self.seconds is None:
            return done < (self.rounds or 1)
        return done < LEAST_ROUNDS or spent < self.seconds


@dataclass(frozen=True)
class Timing:
    """The seconds of each call, by round."""

    rounds: tuple[tuple[float, ...], ...]

    @property
    def medians(self) -> list[float]:
        """The median of each round."""
        return [statistics.median(calls) for calls in self.rounds]

    def summary(self) -> dict[str, float | int]:
        """Return the median, the tenth and ninetieth percentile of the rounds, and the 99th of all calls, in ms."""
        calls = [call for calls in self.rounds for call in calls]
        return {
            "median_ms": statistics.median(self.medians) * 1e3,
            "p10_ms": percentile(self.medians, 10) * 1e3,
            "p90_ms": percentile(self.medians, 90) * 1e3,
            "p99_of_calls_ms": percentile(calls, 99) * 1e3,
            "rounds": len(self.rounds),
            "calls": len(calls),
        }


def interleave(works: Mapping[str, Callable[[], object]], budget: Budget) -> dict[str, Timing]:
    """Time the contenders in turn (A B C A B C ...) until the budget is spent; each has been run before."""
    calls = {name: _calls(work) for name, work in works.items()}
    taken: dict[str, list[tuple[float, ...]]] = {name: [] for name in works}
    start, done = time.perf_counter(), 0
    while budget.allows(done, time.perf_counter() - start):
        for name, work in works.items():
            pause()
            taken[name].append(tuple(seconds(work) for _ in range(calls[name])))
        done += 1
    return {name: Timing(tuple(rounds)) for name, rounds in taken.items()}


def pause() -> None:
    """Wait until no thread of this process works."""
    for _ in range(MOST_PAUSES):
        before = time.process_time()
        time.sleep(PAUSE_SECONDS)
        if time.process_time() - before < IDLE * PAUSE_SECONDS:
            return


def ratio(slow: Timing, fast: Timing) -> float:
    """How many times longer the first took: the median over the rounds of the ratio within a round."""
    return statistics.median(a / b for a, b in zip(slow.medians, fast.medians, strict=True))


def seconds(work: Callable[[], object]) -> float:
    """The time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def percentile(values: list[float], percent: int) -> float:
    """The smallest value that at least `percent` of a hundred values do not exceed."""
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


def _calls(work: Callable[[], object]) -> int:
    once = min(seconds(work) for _ in range(2))
    return min(MOST_CALLS, max(1, math.ceil(TURN_SECONDS / max(once, 1e-9))))
