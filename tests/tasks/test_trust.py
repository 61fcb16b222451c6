"""Calibration: what is counted over bins and thresholds is what probabilities and truth say."""

import numpy as np
import pytest

from elman.tasks.trust import trust


def test_answers_are_counted_by_how_sure_they_are():
    found = trust(np.array([1.0, 0.95, 0.55, 0.85, 0.52]), np.array([True, True, False, True, True]))
    assert found["bins"] == [
        {"answers": 2, "said": pytest.approx(0.535), "right": 0.5},
        {"answers": 1, "said": pytest.approx(0.85), "right": 1.0},
        {"answers": 2, "said": pytest.approx(0.975), "right": 1.0},
    ]
    assert found["error"] == pytest.approx((abs(1.07 - 1) + abs(0.85 - 1) + abs(1.95 - 2)) / 5)
    assert found["said"] == pytest.approx(0.774)
    assert [(each["sure"], each["answers"], each["right"]) for each in found["above"]][-3:] == [
        (0.9, 2, 2),
        (0.95, 2, 2),
        (0.99, 1, 1),
    ]


def test_answers_as_often_right_as_they_say_are_calibrated():
    random = np.random.default_rng(0)
    said = random.uniform(0.2, 1, 50_000)
    assert trust(said, random.uniform(size=len(said)) < said)["error"] < 0.01
    assert trust(said, random.uniform(size=len(said)) < said**2)["error"] > 0.1


def test_no_answers_are_no_error():
    assert trust(np.zeros(0), np.zeros(0, bool))["error"] is None
