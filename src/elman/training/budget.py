"""How much of the budget is spent, and what that means for the learning rate."""

import math
from dataclasses import dataclass

from elman.training.options import TrainingOptions

ROUNDING = 1e-9
"""Added to a share that is counted in whole points: 29 of 100 steps are a little less than 29 hundredths."""


@dataclass
class Progress:
    """How far training has come; all of it is in every checkpoint.

    Attributes:
        step: updates done.
        seconds: time spent in training, over all sittings.
        epochs: passes over the training data.
        symbols: targets that were learnt from.
        validations: validations done, and `validated` the step of the last one.
        best: the lowest validation loss so far, and `best_step` where it was.
        stale: validations since then.
        owed: whether the validation of this step was cut short; a continued run begins with it.
    """

    step: int = 0
    seconds: float = 0.0
    epochs: float = 0.0
    symbols: int = 0
    validations: int = 0
    validated: int = 0
    best: float = math.inf
    best_step: int = 0
    stale: int = 0
    owed: bool = False


def spent(options: TrainingOptions, progress: Progress) -> float:
    """Return the share of the budget that is used up, 0 ... 1 or a little more."""
    if options.steps is not None:
        return progress.step / options.steps
    if options.epochs is not None:
        return progress.epochs / options.epochs
    return progress.seconds / (60 * (options.minutes or 0))


def validates(options: TrainingOptions, before: float, progress: Progress) -> bool:
    """Whether a point at which the budget is interrupted to validate was passed since the share `before` was spent."""
    points = (share * options.validations for share in (before, spent(options, progress)))
    passed, now = (math.floor(point + ROUNDING) for point in points)
    return now > passed


def rate(options: TrainingOptions, progress: Progress) -> float:
    """Return the learning rate: a linear rise over the warm-up, under a half cosine over the budget.

    Source: Loshchilov & Hutter, SGDR, 2017, without restarts.
    """
    warm = min(1.0, (progress.step + 1) / (options.warmup + 1))
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, spent(options, progress))))
    return float(options.rate or 0.0) * warm * (options.final_rate + (1 - options.final_rate) * cosine)
