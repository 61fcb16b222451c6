"""One row: contenders whose answers are compared, then timed in turn, with a large matmul as one more contender.

It does not know what they compute.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from elman.benchmarks.answers import deviation
from elman.benchmarks.base import Row, Work
from elman.benchmarks.timing import Budget, interleave, ratio

MATMUL_SIZE = 2048
WARM_UP = 3
ORACLE = "torch"
"""The contender whose answers the others must give."""


@dataclass(frozen=True)
class Race:
    """The contenders of one row, by name.

    Attributes:
        case: what the row is called in an error.
        ours: Elman's.
        theirs: the peers'; torch.nn is among them.
        operations: of one call of each, to be set against the matmul's rate; None where that says nothing.

    """

    case: str
    ours: dict[str, Work]
    theirs: dict[str, Work]
    operations: int | None = None

    def run(self, budget: Budget) -> Row:
        """Compare, time, and describe.

        Raises:
            ElmanError: if the answers differ.

        """
        deviations = self._deviations()
        works: dict[str, Callable[[], Any]] = {name: work.run for name, work in (self.ours | self.theirs).items()}
        if self.operations is not None:
            works["matmul"] = _matmul()
        timings = interleave(works, budget)
        row: Row = {
            "times": {name: timings[name].summary() for name in self.ours | self.theirs},
            "ratios": {our: {their: ratio(timings[their], timings[our]) for their in self.theirs} for our in self.ours},
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
        expected = answers.pop(ORACLE)
        return {name: deviation(found, expected, who=name, case=self.case) for name, found in answers.items()}


def _matmul() -> Callable[[], Any]:
    """What the machine can do at most, in the same minute."""
    with torch.random.fork_rng(devices=()):
        a, b = torch.randn(2, MATMUL_SIZE, MATMUL_SIZE).unbind()
    out = torch.empty_like(a)
    return lambda: torch.mm(a, b, out=out)
