"""What a report has of forecasts: windows with their times, and the errors that they add up to."""

import datetime as dt
import math

import numpy as np
import pytest

import elman
from elman.data import windows
from elman.tasks import forecast_pictures, forecasting
from elman.topologies.forecaster import SegmentForecaster

BEGIN = dt.datetime(2026, 1, 1)  # noqa: DTZ001 - as tables write times
TINY = {"horizon": 6, "context": 48, "segment": 12, "hidden": 8, "steps": 3, "target": "load", "quiet": True}


def rows(steps=300, **more):
    return [
        {"date": str(BEGIN + dt.timedelta(hours=k)), "load": 100 + 10 * math.sin(k / 4) + k % 7} | more
        for k in range(steps)
    ]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return elman.train("forecasting", rows(), out=tmp_path_factory.mktemp("pictures") / "r", **TINY)


def test_pictures_have_the_times_of_their_steps(found):
    shown, last = found.description["forecasts"], BEGIN + dt.timedelta(hours=299)
    assert shown["time"] == "date"
    assert shown["times"][-1] == [str(last - dt.timedelta(hours=k)) for k in reversed(range(3 * 6 + 6))]
    window, load = shown["windows"][0][-1], [row["load"] for row in rows()]
    assert [*window["past"], *window["future"]] == pytest.approx(load[-24:], rel=1e-4)
    assert f"load, after {last - dt.timedelta(hours=6):%Y-%m-%d %H:%M}" in found.report.read_text()


def test_errors_by_step_and_shares_by_quantile_add_up_to_the_figures(found):
    shown = found.description["forecasts"]
    (target,), (below,) = shown["targets"], shown["below"]
    assert np.mean(shown["ahead"]["network"][0]) == pytest.approx(target["mae_original"])
    assert below == sorted(below)
    assert below[-1] - below[0] == pytest.approx(target["inside"], abs=0.01)
    assert len(shown["ahead"]["last value"][0]) == 6


def test_every_one_of_several_series_has_its_own_times_and_counts_alike(tmp_path):
    table = rows(place="north") + [row | {"load": 1000 * row["load"]} for row in rows(260, place="south")]
    run = elman.train("forecasting", table, group="place", out=tmp_path / "r", **TINY)
    shown = run.description["forecasts"]
    ends = {window["series"]: own[-1] for window, own in zip(shown["windows"][0], shown["times"], strict=True)}
    assert ends == {"north": rows(300)[-1]["date"], "south": rows(260)[-1]["date"]}
    assert shown["ahead"]["unit"] == "MASE"
    assert np.mean(shown["ahead"]["network"][0]) < 100


def test_rows_without_times_are_counted_from_now(tmp_path):
    plain = [{"load": row["load"]} for row in rows()]
    run = elman.train("forecasting", plain, out=tmp_path / "r", **TINY)
    assert "times" not in run.description["forecasts"]
    assert "time steps from now" in run.report.read_text()


def test_of_very_many_columns_few_windows_are_taken_at_once_and_the_first_are_pictured(tmp_path, monkeypatch):
    monkeypatch.setattr(windows, "SERIES", 7)
    monkeypatch.setattr(forecasting, "MOST_RIDGES", 2)
    monkeypatch.setattr(forecast_pictures, "TARGETS", 2)
    taken, forward = set(), SegmentForecaster.forward
    monkeypatch.setattr(
        SegmentForecaster, "forward", lambda self, past: taken.add(past.shape[1]) or forward(self, past)
    )
    table = [{"a": row["load"], "b": -row["load"], "c": row["load"] ** 2} for row in rows(200)]
    run = elman.train("forecasting", table, out=tmp_path / "r", **TINY | {"target": None})
    assert taken <= {1, 2, forecast_pictures.PICTURED}
    assert 2 in taken
    *_, ridge = run.description["baselines"]["test"]
    assert ridge["note"] == "ridge regression: left out, as there are more than 2 columns"
    assert len(run.description["forecasts"]["targets"]) == 3
    page = run.report.read_text()
    assert "Pictures are shown of 2 of the 3 targets." in page
    assert page.count("<summary>c</summary>") == 0
    assert "<tr><td>c</td>" in page
