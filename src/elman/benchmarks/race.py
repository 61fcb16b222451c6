"""One row: contenders whose answers are compared, then timed in turn, with a large matmul as one more contender.

It does not know what they compute.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

from elman.benchmarks.answers import deviation
from elman.benchmarks.base import Row, Work
from elman.benchmarks.timing import Budget, interleave, ratio
from elman.engine.native.library import library, multiply

MATMUL_SIZE = 2048
WARM_UP = 3
CHOICE = 3
"""Rounds in which it is found which of several ways is the faster."""


@dataclass(frozen=True)
class Race:
    """The contenders of one row, by name.

    Attributes:
        case: what the row is called in an error.
        ours: Elman's.
        theirs: the peers'. The first one's answers are what all others must give.
        operations: of one call of each, to be set against the matmul's rate; None where that says nothing.
        beside: contenders that do other work, whose times are to be set against the others'.
        products: the numbers that the matmul multiplies, float32 or bfloat16.

    """

    case: str
    ours: dict[str, Work]
    theirs: dict[str, Work]
    operations: int | None = None
    beside: dict[str, Work] = field(default_factory=dict)
    products: torch.dtype = torch.float32

    def run(self, budget: Budget) -> Row:
        """Compare, time, and describe.

        Raises:
            ElmanError: if the answers differ.

        """
        deviations = self._deviations()
        everyone = self.ours | self.theirs | self.beside
        works: dict[str, Callable[[], Any]] = {name: work.run for name, work in everyone.items()}
        if self.operations is not None:
            works["matmul"] = _matmul(self.products)
        timings = interleave(works, budget)
        row: Row = {
            "times": {name: timings[name].summary() for name in everyone},
            "ratios": {
                our: {their: ratio(timings[their], timings[our]) for their in self.theirs | self.beside}
                for our in self.ours
            },
            "deviations": deviations,
        }
        if self.operations is not None:
            per_matmul = self.operations / (2 * MATMUL_SIZE**3)
            shares = {our: per_matmul * ratio(timings["matmul"], timings[our]) for our in self.ours | self.theirs}
            rate = 2 * MATMUL_SIZE**3 / timings["matmul"].summary()["median_ms"] / 1e6
            row |= {"matmul_gflops": rate, "matmul_shares": shares}
        return row

    def _deviations(self) -> dict[str, float]:
        """The answers of the last of a few runs: a time step has then met a state."""
        answers = {}
        for name, work in (self.theirs | self.ours).items():
            for _ in range(WARM_UP):
                found = work.run()
            answers[name] = work.read(found)
        oracle = next(iter(self.theirs))
        expected = answers.pop(oracle)
        return {
            name: deviation(
                found,
                expected,
                who=name,
                than=oracle,
                case=self.case,
                allowed=(self.theirs | self.ours)[name].tolerance,
            )
            for name, found in answers.items()
        }


def _matmul(products: torch.dtype) -> Callable[[], Any]:
    """What the machine can do at most, in the same minute: the faster of torch's product and the engine's.

    On a processor that is not Intel's, the library behind torch's float32 may reach less than half of it.
    """
    with torch.random.fork_rng(devices=()):
        a, b = torch.randn(2, MATMUL_SIZE, MATMUL_SIZE).unbind()
    out = torch.empty_like(a)
    narrow = [tensor.to(products) for tensor in (a, b, out)]
    ways: list[Callable[[], Any]] = [partial(torch.mm, *narrow[:2], out=narrow[2])]
    if library() is not None:
        ways.append(partial(multiply, a, b, out, pairs=products == torch.bfloat16))
    timings = interleave({str(k): way for k, way in enumerate(ways)}, Budget(rounds=CHOICE))
    return min(zip(ways, timings.values(), strict=True), key=lambda each: each[1].summary()["median_ms"])[0]
