"""Naive forecasts: the ridge regression is that of its definition, each target with the penalty that suits it."""

import numpy as np
import pytest

from elman.baselines import forecasts as naive
from elman.baselines.forecasts import PENALTIES

CONTEXT, HORIZON = 6, 2


def windows(count, seed):
    """One target that its last values foretell, one of noise alone, and a covariate."""
    draw = np.random.default_rng(seed)
    past, future = draw.normal(5, 1, (CONTEXT, count, 3)), draw.normal(5, 1, (HORIZON, count, 2))
    future[..., 0] = 0.5 * past[-2, :, 0] + 0.5 * past[-1, :, 0] + draw.normal(0, 0.01, (HORIZON, count))
    return past, future


def fitted(past, future, k, penalty):
    """The weights of one target, (CONTEXT, HORIZON), and the constant, by the normal equations of centred values."""
    features, known = (past[..., k] - past[-1, :, k]).T, (future[..., k] - past[-1, :, k]).T
    centred = features - features.mean(0)
    weights = np.linalg.solve(centred.T @ centred + penalty * np.eye(CONTEXT), centred.T @ (known - known.mean(0)))
    return weights, known.mean(0) - features.mean(0) @ weights


def forecast(past, k, weights, constant):
    last = past[-1, :, k]
    return ((past[..., k] - last).T @ weights + constant).T + last


def test_every_target_has_the_penalty_that_is_best_on_held_windows():
    learnt, held = windows(40, seed=0), [windows(3, seed=3), windows(200, seed=2)]
    found, chosen = naive.ridges([learnt], held), []
    for k, ridge in enumerate(found):
        candidates = [fitted(*learnt, k, penalty) for penalty in PENALTIES]
        errors = np.array(
            [
                [np.square(forecast(past, k, *each) - future[..., k]).sum() for past, future in held]
                for each in candidates
            ]
        )
        best = int(errors.sum(1).argmin())
        chosen.append(PENALTIES[best])
        misled = errors[:, 0].argmin() != best  # by the first batch alone
        expected = forecast(held[1][0], k, *candidates[best])
        np.testing.assert_allclose(ridge.predict(held[1][0][..., k]), expected, rtol=1e-9)
    assert chosen[0] == 1
    assert chosen[1] > 1
    assert misled


@pytest.mark.parametrize(("season", "steps"), [(5, 18), (8, 27), (12, 36), (12, 44)])
def test_the_season_of_a_few_periods_is_found_without_taking_the_end_for_the_beginning(season, steps):
    wave = np.sin(2 * np.pi * np.arange(steps) / season)
    assert naive.season_of(wave[:, None], steps // 3) == season
