"""Naive predictions of events: each is what its definition says, also for rows of one step."""

import numpy as np
import pytest

from elman.baselines.events import Frequency, Regression, Repetition


def drawn(count=40, events=3, seed=0):
    """Rows of 1 to 6 steps, in which an event stays more often than it comes."""
    draw, rows = np.random.default_rng(seed), []
    for _ in range(count):
        row = np.zeros((draw.integers(1, 7), events), bool)
        for t in range(len(row)):
            before = row[t - 1] if t else np.zeros(events, bool)
            row[t] = draw.random(events) < np.where(before, 0.7, [0.1, 0.3, 0.5])
        rows.append(row)
    return rows


ROWS = [np.array([[1, 0], [1, 0], [0, 1]], bool), np.array([[1, 1]], bool)]


def test_every_event_is_as_frequent_as_it_was():
    found = Frequency(ROWS).probabilities(np.zeros((2, 2), bool))
    assert found.tolist() == [[3.5 / 5, 2.5 / 5]] * 2


def test_an_event_stays_and_comes_as_often_as_it_did():
    found = Repetition(ROWS).probabilities(ROWS[0])
    usual = (1 + 0.5) / (2 + 1)  # of two that could stay, one did
    stays, comes = [(1 + 2 * usual) / (2 + 2), (0 + 2 * usual) / (0 + 2)], [(2 + 0.5) / (2 + 1), (2 + 0.5) / (4 + 1)]
    assert found == pytest.approx(np.array([comes, [stays[0], comes[1]], [stays[0], comes[1]]]))


def test_regression_is_that_of_scikit_learn_on_the_two_steps_before():
    linear_model = pytest.importorskip("sklearn.linear_model")
    rows = drawn()

    def before(row):
        padded = np.concatenate([np.zeros((2, row.shape[1])), row])
        first = np.arange(len(row))[:, None]
        return np.concatenate([padded[1:-1], padded[:-2], first < 1, first < 2], 1)

    features, targets = np.concatenate([before(row) for row in rows]), np.concatenate(rows)
    models = [linear_model.LogisticRegression(tol=1e-8).fit(features, column) for column in targets.T]
    found = Regression(rows)
    for row in drawn(5, seed=1):
        expected = np.stack([model.predict_proba(before(row))[:, 1] for model in models], 1)
        assert found.probabilities(row) == pytest.approx(expected, abs=1e-3)
