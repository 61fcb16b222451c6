"""Computed numbers beside printed ones, and whether they are equal; knows neither the network nor the screen."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from elman.diagnosis.hello.network import Array


@dataclass(frozen=True, eq=False)
class Comparison:
    """Computed numbers beside those printed elsewhere.

    Arguments:
        what: the equation or quantity.
        computed: the numbers of this run, any shape.
        printed: the same numbers as their source prints them, digit for digit, in reading order.
        tolerance: the largest difference that counts as equal, one for all or one for each number.
    """

    what: str
    computed: Array
    printed: tuple[str, ...]
    tolerance: Array

    @property
    def published(self) -> Array:
        """The printed numbers, in the shape of the computed ones."""
        return np.array([float(digits) for digits in self.printed]).reshape(self.computed.shape)

    @property
    def difference(self) -> float:
        """The largest difference between a computed and a printed number."""
        return float(np.abs(self.computed - self.published).max())

    @property
    def equal(self) -> bool:
        """Whether every number is within its tolerance."""
        return bool((np.abs(self.computed - self.published) <= self.tolerance).all())

    def to_dict(self) -> dict[str, Any]:
        """Both sets of numbers, the tolerance and the verdict."""
        return {
            "what": self.what,
            "computed": self.computed.tolist(),
            "published": self.published.tolist(),
            "tolerance": self.tolerance.tolist(),
            "largest_difference": self.difference,
            "equal": self.equal,
        }


def near(what: str, computed: ArrayLike, printed: str, tolerance: float = 1e-6) -> Comparison:
    """A comparison with one tolerance, for sources that computed on with rounded numbers or cut digits off."""
    return Comparison(what, np.asarray(computed, dtype=np.float64), tuple(printed.split()), np.asarray(tolerance))


def exact(what: str, computed: ArrayLike, printed: str) -> Comparison:
    """A comparison to the last printed digit: each number rounds to what is printed."""
    values = np.asarray(computed, dtype=np.float64)
    halves = [0.5 * 10.0 ** -len(digits.partition(".")[2]) for digits in printed.split()]
    return Comparison(what, values, tuple(printed.split()), np.array(halves).reshape(values.shape))
