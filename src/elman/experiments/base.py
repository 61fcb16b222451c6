"""What an experiment is: a claim of a textbook, what was expected of it, what was measured, and whether it held.

It does not know how results are kept or shown.
"""

import math
import statistics
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

Verdict = Literal["holds", "holds in part", "does not hold"]

T_QUANTILES = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""Student's t at 97.5 %, for 1, 2, ... degrees of freedom."""


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        rows: the table, by column name; figures with intervals are texts.
        measured: the result in one or two sentences, with numbers.
        verdict: whether the claim held.
        reason: of the verdict, in a sentence.
        seeds: that were used.
    """

    rows: list[dict[str, Any]]
    measured: str
    verdict: Verdict
    reason: str
    seeds: list[int]


class Experiment(ABC):
    """One claim and its measurement.

    Attributes:
        name: on the command line.
        claim: as texts have it.
        expected: what a measurement should show if it is true.
        method: what is measured, on what, in one or two sentences.
        usual_seeds: how many seeds are used where the user says nothing.
    """

    name: ClassVar[str]
    claim: ClassVar[str]
    expected: ClassVar[str]
    method: ClassVar[str]
    usual_seeds: ClassVar[int] = 3

    @abstractmethod
    def run(self, seeds: Sequence[int], tell: Callable[[str], None]) -> Outcome:
        """Measure; `tell` is told how far it has come."""


def interval(values: Sequence[float], digits: int = 3) -> str:
    """The mean and its 95 % interval over seeds, as text: 0.523 ± 0.012; of a single value the value."""
    mean = statistics.fmean(values)
    if len(values) < 2 or not math.isfinite(mean):
        return f"{mean:.{digits}g}"
    half = T_QUANTILES[min(len(values) - 1, len(T_QUANTILES)) - 1] * statistics.stdev(values) / math.sqrt(len(values))
    return f"{mean:.{digits}g} ± {half:.2g}"
