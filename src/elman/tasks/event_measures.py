"""What is said of sets of events is worth, and what naive baselines say of them. It does not know what events are."""

from collections.abc import Iterator
from itertools import islice, pairwise
from typing import Any

import numpy as np

from elman.baselines import events as naive
from elman.baselines.events import Baseline, Hot
from elman.data.ragged import Array
from elman.modalities.events import EncodedEvents
from elman.tasks.base import Score

MOST_EVENTS, MOST_CELLS = 1000, 20_000_000
"""Events, and events times time steps of the training part, that logistic regression learns from at most."""
SMALLEST = 1e-12


class Tally:
    """Adds up what was said of time steps."""

    def __init__(self) -> None:
        self.log_probability, self.steps = 0.0, 0
        self.right = self.wrong = self.missed = 0

    def add(self, log_probability: float, expected: Array, came: Array) -> None:
        """Take ln P of some steps, and which events were expected and came, (N, V) bool."""
        self.log_probability, self.steps = self.log_probability + log_probability, self.steps + len(came)
        self.right += int((expected & came).sum())
        self.wrong += int((expected & ~came).sum())
        self.missed += int((came & ~expected).sum())

    def figures(self) -> Score:
        """Return nats per step; of the events that were expected and those that came, the share that is both.

        Frame accuracy is TP / (TP + FP + FN) over all steps (Bay, Ehmann & Downie 2009).
        """
        parts = {
            "frame_accuracy": self.right + self.wrong + self.missed,
            "precision": self.right + self.wrong,
            "recall": self.right + self.missed,
        }
        shares = {name: self.right / count for name, count in parts.items() if count}
        return {"step_loss": -self.log_probability / self.steps, **shares}


def baselines(train: EncodedEvents, asked: EncodedEvents, fitted: dict[str, Any]) -> Iterator[Score]:
    """Yield the figures of each naive baseline on encoded rows.

    Args:
        train: the training part.
        asked: the rows to score.
        fitted: where baselines are kept, so that each is fitted once.
    """
    for name, kind in (
        ("frequency of each event", naive.Frequency),
        ("repetition of the step before", naive.Repetition),
    ):
        if name not in fitted:
            fitted[name] = kind(_rows(train))
        yield {"name": name, **_figures(fitted[name], asked)}
    title = "logistic regression on two steps"
    if train.nothing > MOST_EVENTS:
        yield {"name": title, "note": f"{title}: left out, as there are more than {MOST_EVENTS:,} events"}
        return
    count = max(1, int(np.searchsorted(train.starts[1:], MOST_CELLS // train.nothing, side="right")))
    title += f" of the first {count:,} rows" if count < len(train.lengths) else ""
    if title not in fitted:
        fitted[title] = naive.Regression([*islice(_rows(train), count)])
    yield {"name": title, **_figures(fitted[title], asked)}


def _rows(inputs: EncodedEvents) -> Iterator[Hot]:
    """The rows of a part, each (T, V) bool, made when it is looked at."""
    for first, last in pairwise(inputs.starts.tolist()):
        yield inputs.multi_hot(first, last)


def _figures(baseline: Baseline, asked: EncodedEvents) -> Score:
    tally = Tally()
    for row in _rows(asked):
        shares = baseline.probabilities(row)
        said = np.log(np.maximum(np.where(row, shares, 1 - shares), SMALLEST)).sum()
        tally.add(float(said), shares > 0.5, row)
    return tally.figures()
