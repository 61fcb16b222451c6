"""Forecasting: from a row per time step to forecasts that beat the naive ones, and every bad table told."""

import contextlib
import datetime as dt
import io
import math
import random

import numpy as np
import polars as pl
import pytest

import elman
from elman.baselines import forecasts as naive
from elman.cli import output
from elman.data import tables, timeline
from elman.data.scales import Scales
from elman.data.windows import TrackWindows
from elman.errors import DataError, ElmanError, RunError, UsageError
from elman.report import wording
from elman.tasks.forecast_errors import Errors, Yardsticks
from elman.tasks.tracks import divide

TINY = {
    "hidden": 16,
    "epochs": 15.0,
    "rate": 0.01,
    "dropout": 0.1,
    "context": 48,
    "segment": 6,
    "horizon": 6,
    "precision": "float32",
    "seed": 1,
}
BEGIN = dt.datetime(2026, 1, 1)  # noqa: DTZ001


def rows(count, seed=0, begin=BEGIN):
    """A daily wave that a covariate foretells the height of, with noise."""
    draw, made, height = random.Random(seed), [], 1.0
    for t in range(count):
        if t % 24 == 0:
            height = draw.uniform(0.5, 1.5)
        load = 100 + 10 * height * math.sin(2 * math.pi * t / 24) + draw.gauss(0, 0.5)
        made.append({"date": str(begin + dt.timedelta(hours=t)), "load": load, "wind": -load, "height": height})
    return made


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return tables.write(tmp_path_factory.mktemp("hours") / "hours.csv", rows(900))


@pytest.fixture(scope="module")
def run(table, tmp_path_factory):
    out = tmp_path_factory.mktemp("forecasts") / "r"
    return elman.train("forecasting", table, target=["load", "wind"], covariates="height", out=out, quiet=True, **TINY)


def test_a_run_forecasts_better_than_naively(run):
    score, rivals = run.scores["test"], run.description["baselines"]["test"]
    assert [rival["name"] for rival in rivals] == [
        "last value", "last season of 24", "ridge regression on 48 steps",
    ]  # fmt: skip
    assert all(score["mse"] < 0.7 * rival["mse"] for rival in rivals[:2])
    assert score["symbols"] == rivals[0]["symbols"] == 180 - 6 + 1
    assert run.evaluate()["score"] == score


def test_the_median_lies_in_the_middle_and_the_bands_hold_what_they_say(run):
    assert all(0.5 < target["inside"] < 0.98 for target in run.description["forecasts"]["targets"])
    for window in run.description["forecasts"]["windows"][0]:
        quantiles = np.array(window["quantiles"])
        assert (np.diff(quantiles, axis=0) >= -1e-6).all()
    assert "Forecasts" in run.report.read_text()


def test_the_future_is_forecast_with_its_times(run, table):
    found = run.predict(table)
    last = BEGIN + dt.timedelta(hours=899)
    assert [row["date"] for row in found] == [str(last + dt.timedelta(hours=k)) for k in range(1, 7)]
    assert all(row["load_q10"] <= row["load_q50"] <= row["load_q90"] for row in found)
    truth = [100 + 10 * rows(900)[-1]["height"] * math.sin(2 * math.pi * t / 24) for t in range(900, 906)]
    assert abs(np.mean([row["load"] for row in found]) - np.mean(truth)) < 8


def test_several_callers_have_a_series_each_and_are_one_batch(run, monkeypatch):
    series, batches, real = [rows(60), rows(50, seed=5), rows(10), rows(48, seed=6)], [], run.network.forward
    right = [run.predict(series[k]) for k in (0, 1, 3)]
    monkeypatch.setattr(run.network, "forward", lambda past: batches.append(past.shape[1]) or real(past))
    first, second, short, third = run.predict_each(series)
    assert batches == [3]
    for found, alone in zip((first, second, third), right, strict=True):
        assert [row.pop("date") for row in found] == [row.pop("date") for row in alone]
        assert found == [pytest.approx(row, rel=1e-5) for row in alone]
    assert str(short).startswith("the table given has 10 time steps, fewer than the context 48")
    assert [run.batch_rows(each) for each in series] == [1, 1, 1, 1]
    assert run.batch_rows(rows(100)) == 2


def test_another_file_is_scored(run, tmp_path):
    path = tables.write(tmp_path / "other.jsonl", rows(200, seed=5))
    found = run.evaluate(path)
    assert found["score"]["symbols"] == 200 - 48 - 6 + 1
    assert found["score"]["mse"] < found["baselines"][0]["mse"]
    with pytest.raises(DataError, match=r"which need 54; give more rows$"):  # the horizon is the network's
        run.evaluate(rows(50))


def test_several_series_are_kept_apart(tmp_path):
    made = [row | {"place": place} for place in ("north", "south") for row in rows(300, seed=len(place))]
    path = tables.write(tmp_path / "t.parquet", made)
    run = elman.train("forecasting", path, target="load", group="place", out=tmp_path / "r", quiet=True, **TINY)
    assert run.description["data"]["train"]["series"] == 2
    assert run.description["data"]["train"]["windows"] == 2 * (210 - 48 - 6 + 1)
    found = run.predict(made)
    assert [(row["place"], row["date"]) for row in found[::6]] == [
        ("north", "2026-01-13 12:00:00"), ("south", "2026-01-13 12:00:00"),
    ]  # fmt: skip


def test_files_of_their_own_are_parts_of_their_own_and_a_run_is_continued(tmp_path):
    files = {
        name: tables.write(tmp_path / f"{name}.csv", rows(200, seed=k))
        for k, name in enumerate(("train", "valid", "test"))
    }
    given = {"valid": files["valid"], "test": files["test"], "out": tmp_path / "r", "quiet": True, "target": "load"}
    run = elman.train("forecasting", files["train"], **given, **(TINY | {"epochs": 1.0}))
    assert {part: fact["rows"] for part, fact in run.description["data"].items()} == dict.fromkeys(files, 200)
    longer = elman.train("forecasting", files["train"], out=tmp_path / "r", quiet=True, resume=True, epochs=2.0)
    assert longer.description["training"]["epochs"] == 2
    with pytest.raises(RunError, match="is not the test table that the run was begun with"):
        elman.train("forecasting", files["train"], test=files["valid"], out=tmp_path / "r", quiet=True, resume=True)


def test_rows_without_times_are_in_order(tmp_path):
    made = [{"load": row["load"]} for row in rows(300)]
    run = elman.train("forecasting", tables.write(tmp_path / "t.tsv", made), out=tmp_path / "r", quiet=True, **TINY)
    assert [row["step"] for row in run.predict(made)] == [1, 2, 3, 4, 5, 6]


def test_times_may_be_left_out_where_rows_are_in_order(run):
    made = rows(60)
    found = run.predict(without_times(made))
    assert found == [{"step": k} | row for k, row in enumerate(without_times(run.predict(made)), 1)]


def without_times(rows):
    return [{name: value for name, value in row.items() if name != "date"} for row in rows]


CALENDARS = {
    "months, as texts": ([f"{2000 + k // 12}-{k % 12 + 1:02d}" for k in range(24)], ["2002-01-01", "2002-02-01"]),
    "tenths of a second": ([round(0.1 * k, 1) for k in range(100)], ["10.0", "10.1"]),
    "seconds since 1970": ([1.7e9 + 0.04 * k for k in range(100)], ["1700000004.0", "1700000004.04"]),
    "months": ([dt.date(2000 + k // 12, k % 12 + 1, 1) for k in range(23)], ["2001-12-01", "2002-01-01"]),
    "ends of months": (
        [dt.date(2022 + (k + 1) // 12, (k + 1) % 12 + 1, 1) - dt.timedelta(days=1) for k in range(13)],
        ["2023-02-28", "2023-03-31"],
    ),
    "quarters": ([dt.date(2000 + k // 4, k % 4 * 3 + 1, 1) for k in range(8)], ["2002-01-01", "2002-04-01"]),
    "years": ([dt.date(2000 + k, 1, 1) for k in range(8)], ["2008-01-01", "2009-01-01"]),
    "years, as numbers": (["1999", "2000"], ["2001", "2002"]),
    "days": (["2023-12-30", "2023-12-31"], ["2024-01-01", "2024-01-02"]),
    "hours of a first": (
        ["2023-12-01 00:00:00", "2023-12-01 12:00:00"],
        ["2023-12-02 00:00:00", "2023-12-02 12:00:00"],
    ),
}


@pytest.mark.parametrize("name", CALENDARS)
def test_times_go_on_as_the_calendar_does(name):
    times, coming = CALENDARS[name]
    table = tables.from_rows([{"time": time, "load": 1.0} for time in times])
    (track,) = timeline.tracks(table, ["load"], "time", None)
    assert [str(time) for time in track.after(2)] == coming


def test_a_series_too_short_to_learn_from_is_told_and_its_rows_are_counted(tmp_path):
    made = [
        row | {"place": place} for place, count in (("east", 20), ("north", 300), ("south", 300)) for row in rows(count)
    ]
    path = tables.write(tmp_path / "t.csv", made)
    shown = io.StringIO()
    with contextlib.redirect_stderr(shown):
        run = elman.train(
            "forecasting",
            path,
            target="load",
            group="place",
            out=tmp_path / "r",
            **(TINY | {"epochs": None, "steps": 1}),
        )
    assert "1 of 3 series have fewer than 54 time steps to learn from, and are left out: 'east'" in shown.getvalue()
    assert [run.description["data"][part]["rows"] for part in ("train", "valid", "test")] == [434, 62, 124]
    assert run.description["data"]["valid"]["first_row"] == 15
    with pytest.raises(DataError, match=r"series 'east' of .* has 20 time steps, .*; give more, or leave it out"):
        run.predict(path)


def test_a_gap_among_the_first_rows_does_not_hide_a_column_and_what_is_no_number_is_shown():
    table = tables.from_rows(
        [{"a": None if k == 3 else str(k), "b": "x" if k == 3 else "1", "c": "x"} for k in range(9)]
    )
    assert timeline.numeric(table) == ["a", "b"]


def test_forecasts_of_small_numbers_are_drawn_and_printed(tmp_path, capsys):
    made = [row | {"load": row["load"] * 1e-12} for row in rows(300)]
    path = tables.write(tmp_path / "t.csv", made)
    run = elman.train(
        "forecasting", path, target="load", out=tmp_path / "r", quiet=True, **(TINY | {"epochs": None, "steps": 1})
    )
    window = run.description["forecasts"]["windows"][0][0]
    assert len(set(window["past"])) > 10
    output.print_table([[{"load": 1.234e-11}]])
    output.print_scores("test", {"mse": 1.5e-24, "symbols": 1, "unit": "window"}, [])
    assert {"1.23e-11", "1.5e-24"} <= set(capsys.readouterr().out.split())
    assert wording.number(1.5e-24, 3) == "1.5×10⁻²⁴"
    assert wording.number(0.0, 3) == "0.000"


def test_no_forecast_part_reaches_into_another_and_scales_are_of_training(table):
    (track,) = timeline.tracks(tables.read(table), ["load"], "date", None)
    cut = divide([track], "0.5,0.2,0.3", ("train", "valid", "test"), 48)
    own = {part: set(tracks[0].rows[0 if part == "train" else 48 :].tolist()) for part, tracks in cut.items()}
    assert own["train"] | own["valid"] | own["test"] == set(range(1, 901))
    assert sum(map(len, own.values())) == 900
    counted = divide([track], "400,100,100", ("train", "valid", "test"), 48)
    assert [len(counted[part][0]) for part in counted] == [400, 148, 148]
    assert counted["test"][0].rows[[0, -1]].tolist() == [453, 600]


def test_windows_hold_what_lies_in_their_track():
    tracks = [np.arange(10.0)[:, None], np.arange(100.0, 105.0)[:, None]]
    scales = Scales(np.zeros((2, 1)), np.ones((2, 1)), np.full((2, 1), np.nan), np.full((2, 1), np.inf))
    windows = TrackWindows(tracks, scales, 3, 2, 1)
    assert len(windows) == 6 + 1
    batch = windows.batch(np.array([5, 6]))
    assert batch.past[:, :, 0].T.tolist() == [[5, 6, 7], [100, 101, 102]]
    assert batch.future[:, :, 0].T.tolist() == [[8, 9], [103, 104]]
    assert batch.owners.tolist() == [0, 1]


def test_the_figures_are_those_of_their_definitions():
    errors = Errors(Yardsticks(np.array([[20.0]]), np.array([[10.0]])), grouped=False)
    quantiles = np.array([0.0, 10.0, 20.0, 30.0, 40.0, 50.0]).reshape(1, 1, 1, 6)  # five quantiles, then the mean
    errors.add(quantiles, np.array([30.0]).reshape(1, 1, 1), np.array([0]))
    score = errors.score()
    assert (score["mse"], score["mae"], score["mase"]) == (4.0, 1.0, 0.5)
    assert (score["mse_original"], score["mae_original"]) == (400.0, 10.0)
    assert errors.by_target(["load"])[0]["inside"] == 1.0
    errors.add(quantiles, np.array([90.0]).reshape(1, 1, 1), np.array([0]))
    assert errors.by_target(["load"])[0]["inside"] == 0.5
    assert score["pinball"] == pytest.approx((0.1 * 3 + 0.25 * 2 + 0.5 * 1 + 0.0 + 0.1 * 1) / 5)


def test_a_season_that_rounding_alone_changes_is_no_yardstick():
    values = np.sin(2 * np.pi * np.arange(240) / 24)[:, None]  # from one day to the next it changes by 1e-15
    found = Yardsticks.of([("", values), ("noisy", values + np.eye(240)[:, :1])], {}, 1, 24)
    assert np.isnan(found.naive[0, 0])
    assert found.naive[1, 0] == pytest.approx(1 / 216)
    assert found.deviation[0, 0] == pytest.approx(0.5**0.5)


def test_the_season_is_found():
    wave = np.sin(2 * np.pi * np.arange(500) / 24) + np.random.default_rng(0).normal(0, 0.1, 500)
    assert naive.season_of(wave[:, None], 100) == 24
    assert naive.season_of(np.stack([wave, np.ones(500)], 1), 100) == 24
    assert naive.season_of(np.ones((50, 1)), 10) == 1
    assert naive.seasonal(np.arange(4.0)[:, None], 5, 2)[:, 0].tolist() == [2, 3, 2, 3, 2]


def test_a_season_that_is_longer_than_the_context_is_repeated_where_it_is_seen():
    assert naive.seasonal(np.arange(4.0)[:, None], 8, 6)[:, 0].tolist() == [3, 3, 0, 1, 2, 3, 3, 3]


def test_ridge_continues_a_straight_line_whatever_the_batches():
    past = np.add.outer(np.arange(8.0), np.arange(30.0))
    future = np.add.outer(np.arange(8.0, 11.0), np.arange(30.0))
    both = np.stack([past, -past, past**2], -1), np.stack([future, -future], -1)  # two targets, and what goes along
    batches = [(both[0][:, own], both[1][:, own]) for own in (slice(20), slice(20, 30))]
    for found in (naive.ridges([both], [both]), naive.ridges(batches, batches)):
        up, down = found
        assert np.allclose(up.predict(past + 7), future + 7, atol=0.1)
        assert np.allclose(down.predict(-past), -future, atol=0.1)


def by_month(count):
    return [row | {"date": f"{1970 + k // 12}-{k % 12 + 1:02d}"} for k, row in enumerate(rows(count))]


def working_days():
    days = (dt.date(2026, 1, 1) + dt.timedelta(days=k) for k in range(1000))
    return (day for day in days if day.weekday() < 5)


def changed(at, **values):
    made = rows(300)
    made[at] |= values
    return made


BAD = {
    "a season too long": (rows(300), {"season": 210}, "--season 210 needs more than 210 time steps to learn from"),
    "no such column": (rows(300), {"target": "laod"}, "has no column 'laod'; did you mean 'load'?"),
    "not a number": (changed(6, load="n/a"), {}, "row 7, column 'load' is 'n/a', not a finite number; fill the gap"),
    "a gap": (changed(6, load=None), {}, "row 7, column 'load' is empty; fill the gap"),
    "nan": (changed(6, load=float("nan")), {}, "row 7, column 'load' is nan, not a finite number"),
    "twice": ([*rows(300), rows(300)[-1]], {}, "row 301, column 'date' repeats the time 2026-01-13 11:00:00; keep one"),
    "unsorted": ([*rows(300), rows(300)[5]], {}, "row 301, column 'date' goes back in time; sort the rows"),
    "a step left out": (
        rows(300)[:50] + rows(300)[51:],
        {},
        "row 51, column 'date' comes 2:00:00 after the row before, where steps are 1:00:00; fill in what is missing",
    ),
    "an hour twice": (
        [*rows(300), {**rows(300)[-1], "date": "2026-01-13 11:00:00"}],
        {},
        "keep one row, or write times with their offset where clocks were put back",
    ),
    "a month left out": (
        [row for row in by_month(300) if row["date"] != "1987-03"],
        {},
        "row 207, column 'date' comes 2 months after the row before, where steps are 1 months; fill in what is missing",
    ),
    "a tenth of a second left out": (
        [row | {"date": 0.1 * (k + (k > 50))} for k, row in enumerate(rows(300))],
        {},
        "row 52, column 'date' comes 0.2 after the row before, where steps are 0.1; fill in what is missing",
    ),
    "working days": (
        [row | {"date": str(day)} for row, day in zip(rows(300), working_days(), strict=False)],
        {},
        "comes 3 days after the row before, where steps are 1 day; fill in what is missing, or give a table without",
    ),
    "beyond all bounds": (changed(6, load=1e200), {}, "column 'load' holds numbers beyond 1e+100; give it in larger"),
    "a list for a time": (
        [row | {"date": ["x"]} for row in rows(300)],
        {},
        "'date' holds texts, not a time in each row",
    ),
    "a list for a name": (
        [row | {"place": ["x"]} for row in rows(300)],
        {"group": "place"},
        "row 1, column 'place' holds texts, not the name of a series in each row",
    ),
    "no time": (changed(9, date="soon"), {}, "row 10, column 'date' is 'soon', which is no time"),
    "ten rows": (rows(10), {}, "has 7 time steps in its longest series, too few for context 48 and horizon 6"),
    "two rows": (
        rows(2),
        {"context": None, "segment": None},
        "has 1 time steps in its longest series, too few for context 1 and",
    ),
    "no row to learn from": (rows(4), {"split": "0.1,0.45,0.45"}, "the train part of"),
    "a horizon longer than the test": (
        rows(300),
        {"horizon": 70},
        "has 30 time steps in its longest series, too few for the horizon 70",
    ),
    "no split": (rows(300), {"split": "0.5,0.6"}, "--split '0.5,0.6' is no split"),
    "two roles": (
        rows(300),
        {"target": "load", "covariates": "load"},
        "'load' is named as target and as something else",
    ),
    "a column called like a quantile": (
        [row | {"load_q10": 1.0} for row in rows(300)],
        {"target": "load,load_q10"},
        "would have two columns named 'load_q10'; rename the table's",
    ),
    "no numbers": ([{"a": "x"}] * 30, {}, "has no column of numbers to forecast; it has a ('x', ...)"),
    "a long segment": (rows(300), {"segment": 60}, "--segment 60 exceeds the context of 48 time steps"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_table_is_told_in_one_sentence_and_nothing_is_written(tmp_path, name):
    content, options, message = BAD[name]
    path = tmp_path / "t.parquet"
    pl.DataFrame(content, infer_schema_length=None, strict=False).write_parquet(path)
    options = options if name == "no numbers" else {"target": "load"} | options
    with pytest.raises(ElmanError) as told:
        elman.train("forecasting", path, out=tmp_path / "r", quiet=True, **(TINY | options))
    assert message in str(told.value)
    assert "\n" not in str(told.value)
    assert list(tmp_path.iterdir()) == [path]


def test_too_little_to_forecast_from_is_told(run):
    with pytest.raises(DataError, match="the table given has 20 time steps, fewer than the context 48; give more"):
        run.predict(rows(20))
    for wrong in ([1.5] * 60, ["x"], [None]):
        with pytest.raises(DataError, match="row 1 is no object; give one with a value for each column"):
            run.predict(wrong)
    with pytest.raises(DataError, match=r"column 'wind' holds 1e\+300, too far from what it held in training"):
        run.predict([row | {"wind": 1e300} for row in rows(60)])
    with pytest.raises(UsageError, match="a forecasting run does not generate"):
        next(run.generate())
