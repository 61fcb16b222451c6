"""The rate at which gradients fall with the lag, its error and its half-life, from norms that are given."""

import math

import pytest
import torch

from elman.diagnosis.flow import decay, half_life
from elman.diagnosis.transport import _growth, horizon


def lags(logs):
    """Norms by lag, of which these are the logarithms."""
    return [math.exp(log) for log in logs]


def test_the_rate_is_that_of_the_line_through_all_but_the_first_eighth_of_the_lags():
    assert decay(lags([-3, 2, *(0.5 - 0.25 * k for k in range(2, 16))])) == pytest.approx((math.exp(-0.25), 0))
    assert decay(lags([9, *(0.5 - 0.25 * k for k in range(1, 4))])) == pytest.approx((math.exp(-0.25), 0))
    assert decay(lags([0, -1, -1]))[0] == pytest.approx(math.exp(-0.5))  # of three lags none is left out


def test_the_error_of_the_rate_is_that_of_the_slope_of_few_points_or_of_six_pieces():
    points, x = [0.0, -1.2, -1.9, -3.1], torch.arange(1, 4.0)
    slope = (points[3] - points[1]) / 2
    left = torch.tensor(points[1:]) - (sum(points[1:]) / 3 + slope * (x - 2))
    rate, error = decay(lags(points))
    assert (rate, error) == pytest.approx((math.exp(slope), math.exp(slope) * left.norm().item() / math.sqrt(2)))
    points, x = torch.tensor([0.0, 0.2, -1.2, -1.9, -3.1, -4.3]), torch.arange(1, 6.0)
    slope = ((x - 3) @ points[1:] / 10).item()
    left = points[1:] - points[1:].mean() - slope * (x - 3)
    expected = math.exp(slope) * left.norm().item() / math.sqrt(3) / math.sqrt(10)  # of five points three are free
    assert decay(lags(points.tolist())) == pytest.approx((math.exp(slope), expected))
    steps = [-0.1, -0.2, -0.3, -0.4, -0.3, -0.2]  # the slope within each of six pieces of two lags
    pieces = [step * k - 0.5 * j for j, step in enumerate(steps) for k in range(2)]
    rate, error = decay(lags([0.0, 0.0, *pieces]))
    assert error == pytest.approx(rate * torch.tensor(steps).std().item() / math.sqrt(6))


def test_lags_without_a_gradient_that_float32_can_hold_are_left_out():
    falling = lags([-2.0 * k for k in range(60)])
    assert decay(falling) == pytest.approx((math.exp(-2), 0))
    assert decay([*falling, 0.0, 1e-40, math.inf, math.nan]) == pytest.approx((math.exp(-2), 0))
    assert decay([1.0, 0.0, math.exp(-2)])[0] == pytest.approx(math.exp(-1))
    for nothing in ([], [1.0], [0.0, 1.0, math.inf], [math.nan, math.nan, 1.0]):
        assert all(math.isnan(number) for number in decay(nothing))
    rate, error = decay([1.0, 0.5])
    assert rate == pytest.approx(0.5)
    assert math.isnan(error)


@pytest.mark.parametrize(
    ("rate", "steps"), [(0.5, 1.0), (0.25, 0.5), (1.0, math.inf), (1.2, math.inf), (1 - 1e-7, math.inf), (0.0, 0.0)]
)
def test_half_is_left_after_so_many_steps(rate, steps):
    assert half_life(rate) == steps
    assert math.isnan(half_life(math.nan))


@pytest.mark.parametrize(
    ("norms", "expected"),
    [
        ([1.0], -math.inf),
        ([1.0, 0.5], math.log(0.5)),
        ([9.0, 1.0, 0.5], math.log(0.5)),  # the first lag is left out where there are more
        ([7.0, 3.0, *(2.0**-k for k in range(2, 12))], math.log(0.5)),  # and a quarter where there are many
        ([4.0, 1.0, 2.0, 0.0, 0.0], -math.inf),
        ([1.0, 1e-20, 0.0], math.log(1e-20)),  # as far as float32 has anything
        ([4.0, 1.0, 2.0, 1e-40, math.inf], math.log(2)),
        ([1.0, 0.0, 0.0], -math.inf),
        ([1.0, 0.5, math.nan], math.nan),
    ],
)
def test_growth_is_the_mean_slope_behind_the_first_quarter(norms, expected):
    found = _growth(torch.tensor([norms]).T, 1e-33)
    assert found == pytest.approx(expected, nan_ok=True)
    beside = _growth(torch.tensor([norms, [3.0**-k for k in range(len(norms))]]).T, 1e-33)  # the mean over rows
    assert beside == pytest.approx((expected - math.log(3)) / 2 if len(norms) > 1 else expected, nan_ok=True)


@pytest.mark.parametrize(
    ("by_lag", "expected"),
    [
        ([2.0, 1.0, 0.04, 0.01, 0.002], 3),
        ([2.0, 0.01, 0.04, 0.01], 3),  # from there on
        ([2.0, 0.02, 0.01], 2),
        ([2.0, 1.0, 0.02], math.inf),
        ([2.0, 0.0, 0.0], 1),
        ([0.0, 0.0], 0),
        ([math.nan, 1.0], math.nan),
    ],
)
def test_the_horizon_is_the_lag_from_which_on_less_than_a_hundredth_is_left(by_lag, expected):
    assert horizon(by_lag) == pytest.approx(expected, nan_ok=True)
