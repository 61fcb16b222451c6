"""Charts: what they place lies where the numbers say, whatever the numbers are."""

import math
import re

import numpy as np
import pytest

from elman.report.charts import HEIGHT, POINTS, WIDTH, Axes, Band, Line, Mark, Moment, Scale, draw, smooth, thin
from elman.report.wording import brief_duration, compact, duration, number, percent


def points(path):
    return [tuple(map(float, point.split())) for point in re.findall(r"[ML]([^ML]+)", path)]


def test_a_line_runs_from_corner_to_corner_within_its_bounds():
    chart = draw("x", Axes("", "", low=0, high=4), [Line("line", [2, 3, 4], [0, 1, 4], "train")])
    assert points(chart.strokes[0].path) == [(0, HEIGHT), (WIDTH / 2, 0.75 * HEIGHT), (WIDTH, 0)]


def test_equal_ratios_are_equally_high_on_a_logarithmic_axis():
    chart = draw("x", Axes("", "", log=True), [Line("line", [0, 1, 2], [1e-6, 1e-3, 1], "train")])
    (_, a), (_, b), (_, c) = points(chart.strokes[0].path)
    assert a - b == pytest.approx(b - c, abs=0.2)


def test_a_band_goes_there_along_its_low_edge_and_back_along_its_high_one():
    line, band = Line("line", [0, 1, 2], [0, 1, 4], "train"), Band("band", [1, 2], [0, math.nan], [4, 4])
    chart = draw("x", Axes("", "", low=0, high=4), [line], bands=[band], moments=[Moment("now", 1)])
    assert points(chart.strokes[0].path.rstrip("Z")) == [(500, HEIGHT), (WIDTH, 0), (500, 0)]
    assert chart.strokes[0].style == "train area"
    assert (chart.moments[0].at, chart.strokes[1].path) == (50, f"M500.0 0V{HEIGHT}")
    assert chart.legend[-1] == ("train area", "band", "")


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("values", [(3, 3, 3), (1e-300, 1, 1e290), (math.nan, 1, 2), (0, -1, 1), (1e-9, 2e-9, 3e-9)])
def test_awkward_numbers_make_a_chart_with_ticks_inside_or_none(values, log):
    chart = draw("x", Axes("", "", log=log), [Line("line", range(3), values, "train")], [Mark("level", 1.0)])
    for tick in (*chart.x_ticks, *chart.y_ticks):
        assert 0 <= tick.at <= 100
    assert "nan" not in chart.strokes[-1].path


@pytest.mark.parametrize("y", [[], [1.0], [math.nan, math.inf]])
def test_less_than_two_points_make_no_chart(y):
    assert draw("x", Axes("", ""), [Line("line", range(len(y)), y, "train")]) is None


@pytest.mark.parametrize(("low", "high"), [(0, 1), (1.4, 1.6), (-3, 12345), (1e-7, 9e-7), (10, 1618)])
def test_ticks_are_round_and_few(low, high):
    for log in (False, True)[: 1 + (low > 0 and high > 2.2 * low)]:
        ticks = Scale(low, high, log=log).ticks()
        assert 0 < len(ticks) <= 8
        assert all(low <= tick <= high * (1 + 1e-9) for tick in ticks)


@pytest.mark.parametrize("values", [(1.21e6, 1.39e6), (1e-11, 2e-11), (40000.1, 40000.9), (1e6 + 0.01, 1e6 + 0.02)])
def test_no_two_ticks_of_an_axis_have_the_same_label(values):
    texts = [tick.label for tick in draw("x", Axes("", ""), [Line("line", [0, 1], values, "train")]).y_ticks]
    assert len(set(texts)) == len(texts) > 1


def test_no_peak_of_a_long_curve_is_lost():
    y = np.zeros(100_000)
    y[54_321], y[77_777] = 5.0, -3.0
    x, kept = thin(np.arange(100_000.0), y)
    assert len(kept) <= POINTS
    assert kept.max() == 5
    assert kept.min() == -3
    assert (np.diff(x) > 0).all()


def test_the_running_mean_keeps_a_straight_line_and_its_place():
    np.testing.assert_allclose(smooth(np.arange(100.0), 10)[:-5], np.arange(95.0), atol=1e-9)
    np.testing.assert_allclose(smooth(np.ones(7), 100), np.ones(7))


def test_numbers_are_worded_as_people_write_them():
    assert number(1003854) == "1\u202f003\u202f854"
    assert (number(1.4972, 3), number(None), number(2.0), number("text")) == ("1.497", "–", "2", "text")
    assert [compact(v) for v in (0, 0.004, 1.5, 12000, 1e-7, 2e-5)] == [
        "0",
        "0.004",
        "1.5",
        "12\u202f000",
        "10⁻⁷",
        "2×10⁻⁵",
    ]
    assert [duration(v) for v in (0.5, 59.7, 130.4, 3600, 90061)] == [
        "0.5 s",
        "1 min",
        "2 min 10 s",
        "1 h",
        "1 d 1 h 1 min 1 s",
    ]
    assert [brief_duration(v) for v in (40, 130.4, 5400)] == ["40 s", "2.2 min", "1.5 h"]
    assert [percent(v) for v in (0.0412, 0.5, 0, 0.000027)] == ["4.1\u202f%", "50\u202f%", "0\u202f%", "0.0027\u202f%"]
