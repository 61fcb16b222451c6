"""Series of all sizes in one table: each has its own scale in learning, in errors and in what is forecast."""

import json
import math
import random

import numpy as np
import pytest
import torch

import elman
from elman.data import tables, timeline
from elman.data.windows import TrackWindows
from elman.errors import DataError, UsageError
from elman.modalities.forecast import LEAST, SCALES, Forecast
from elman.report import write
from elman.tasks.forecast_errors import Errors, Yardsticks, side_by_side

TINY = {
    "hidden": 16, "epochs": 1.0, "rate": 0.01, "dropout": 0.1, "context": 48, "segment": 6, "horizon": 6,
    "precision": "float32", "target": "sold", "group": "shop",
}  # fmt: skip
SIZES = {"kiosk": 0.01, "corner": 1.0, "market": 100.0, "mall": 10_000.0}


def sales(size, count=260, seed=0):
    """A daily wave with noise, whose height changes from day to day."""
    draw, height, made = random.Random(seed), 1.0, []
    for t in range(count):
        height = draw.uniform(0.8, 1.2) if t % 24 == 0 else height
        made.append(size * (10 + 3 * height * math.sin(2 * math.pi * t / 24) + draw.gauss(0, 0.2)))
    return made


def table(series):
    return [{"shop": name, "sold": value} for name, values in series.items() for value in values]


def trained(folder, series, **options):
    path = tables.write(folder / "sales.parquet", table(series))
    return elman.train("forecasting", path, out=folder / "r", quiet=True, **(TINY | options))


@pytest.fixture(scope="module")
def shops():
    return {name: sales(size, seed=k) for k, (name, size) in enumerate(SIZES.items())}


@pytest.fixture(scope="module", params=["window", "series"])
def run(request, shops, tmp_path_factory):
    return trained(tmp_path_factory.mktemp(request.param), shops | {"closed": [5.0] * 260}, scale=request.param)


@pytest.mark.parametrize("seed", [0, 1])
def test_small_series_are_forecast_as_well_as_large_ones(shops, tmp_path, seed):
    figures = {}
    for scale in ("column", "window"):
        (tmp_path / scale).mkdir()
        run = trained(tmp_path / scale, shops, scale=scale, seed=seed, epochs=None, steps=150)
        rows = run.description["forecasts"]["series"]["rows"]
        figures[scale] = {row["series"]: row["mase"] for row in rows}
    assert max(figures["window"].values()) < 1.5
    assert figures["column"]["kiosk"] > 5 * figures["window"]["kiosk"]


def test_several_series_are_scaled_by_windows_and_measured_by_mase_unless_told_otherwise(shops, tmp_path, capsys):
    run = trained(tmp_path, shops, epochs=None, steps=1)
    assert run.description["modalities"]["forecast"]["scale"] == "window"
    score = run.evaluate()["score"]
    assert (score["headline"], score["series"]) == ("mase", 4)
    from elman.cli import output

    output.print_scores("test", score, run.description["baselines"]["test"])
    first, heading, *_ = capsys.readouterr().out.splitlines()
    assert first.endswith(" windows of 4 series")
    assert heading.split()[0] == "MASE"
    assert "windows of 4 series of the test data" in write(run.path).read_text()


def test_a_series_that_was_never_seen_is_forecast_on_its_own_scale(run):
    known = sales(1.0, 60, seed=9)
    for size in (1e-6, 1.0, 1e7):
        found = run.predict(table({"new": [size * value for value in known]}))
        alone = run.predict(table({"other": known}))
        for row, one in zip(found, alone, strict=True):
            assert [row[key] / size for key in row if key.startswith("sold")] == pytest.approx(
                [one[key] for key in one if key.startswith("sold")], rel=1e-3
            )


@pytest.mark.parametrize("name", ["closed", "never seen"])
@pytest.mark.parametrize("value", [0.0, 5.0, -3e6])
def test_what_never_changes_is_forecast_to_stay(run, name, value):
    for row in run.predict(table({name: [value] * 50})):
        said = [row[key] for key in row if key.startswith("sold")]
        assert said == [value] * 6


@pytest.mark.parametrize("before", [0.0, 1e-6])
@pytest.mark.parametrize("scale", ["window", "series"])
def test_a_series_that_begins_to_sell_after_training_spoils_nothing(shops, tmp_path, before, scale):
    opened = [before * (t % 5) for t in range(190)] + sales(1.0, 70)
    run = trained(tmp_path, shops | {"opened": opened}, scale=scale)
    entries = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    losses = [entry["valid_loss"] for entry in entries if "valid_loss" in entry]
    assert max(losses) < 2000
    assert all(math.isfinite(value) for value in run.scores["test"].values() if isinstance(value, float))


def test_a_table_of_other_series_is_scored_by_their_own_errors(run, tmp_path):
    path = tables.write(tmp_path / "other.csv", table({"new": sales(1e-3, 120, seed=7), "closed": [5.0] * 120}))
    found = run.evaluate(path)
    assert found["score"]["series"] == 2
    assert found["score"]["mase"] < 1.1 * found["baselines"][0]["mase"]


def test_series_are_read_and_measured_once(shops, tmp_path, monkeypatch):
    read, measured = [], []
    tracks, of = timeline.tracks, Yardsticks.of
    monkeypatch.setattr(timeline, "tracks", lambda *a, **kw: read.append(a) or tracks(*a, **kw))
    monkeypatch.setattr(Yardsticks, "of", lambda series, *a: measured.append(len(series)) or of(series, *a))
    run = trained(tmp_path, shops, epochs=None, steps=1)
    assert (len(read), measured) == (1, [4, 4])  # for the two parts that are scored
    assert all(run.prepared.windows(part) is run.prepared.windows(part) for part in ("train", "valid", "test"))
    given = [run.evaluate({"shop": ["new"] * 60, "sold": sales(size, 60)})["score"] for size in (1.0, 50.0)]
    assert given[1]["mae_original"] > 10 * given[0]["mae_original"]


def test_naive_forecasts_are_worth_the_same_by_any_scale(shops, tmp_path):
    found = []
    for scale in SCALES:
        (tmp_path / scale).mkdir()
        rivals = trained(tmp_path / scale, shops, scale=scale, epochs=None, steps=1).description["baselines"]["test"]
        found.append([rivals[k][name] for k in (0, 1) for name in ("mase", "mse", "pinball", "mae_original")])
    for one in found[1:]:
        assert one == pytest.approx(found[0], rel=0.02)  # by the column's, float32 rounds the smallest


def test_a_run_of_before_there_was_a_choice_says_what_it_said(shops, tmp_path):
    run = trained(tmp_path, shops, scale="column", epochs=None, steps=3)
    said, place = run.predict(table(shops)), run.path / "run.json"
    description = json.loads(place.read_text())
    del description["options"]["scale"], description["modalities"]["forecast"]["scale"]
    del description["modalities"]["forecast"]["series"], description["modalities"]["forecast"]["least"]
    place.write_text(json.dumps(description))
    assert elman.load(run.path).predict(table(shops)) == said


def test_an_unknown_scale_is_told_and_nothing_is_written(shops, tmp_path):
    with pytest.raises(UsageError, match="--scale 'shop' is not known; choose one of column, series, window"):
        trained(tmp_path, shops, scale="shop")
    assert [path.name for path in tmp_path.iterdir()] == ["sales.parquet"]


def test_numbers_beyond_computing_are_told(run):
    with pytest.raises(DataError, match=r"column 'sold' holds numbers beyond 1e\+100; give it in larger units"):
        run.predict(table({"new": [1e300] * 60}))


def windows(scale, **series):
    named = [(name, np.array(values, float)[:, None]) for name, values in series.items()]
    forecast = Forecast.fit(["sold"], [], [one for one in named if one[0] != "new"], scale)
    return TrackWindows([values for _, values in named], forecast.scales(named), 4, 2, 1)


def test_the_first_column_with_a_number_beyond_computing_is_named():
    values = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 5.0], [1.0, 1e200, -1e200]])
    with pytest.raises(DataError, match=r"^column 'b' holds numbers beyond"):
        Forecast.fit(["a", "b"], ["c"], [("", values)])
    with pytest.raises(DataError, match=r"^column 'b' holds 1e\+200, too far"):
        Forecast.fit(["a", "b"], ["c"], [("", values[:2])]).scales([("", values)])


def test_a_window_is_scaled_by_what_is_read_of_it_alone():
    batch = windows("window", a=[1, 2, 4, 8, 16, 900], new=[10, 20, 40, 80, 160, 9000]).batch(np.array([0, 1]))
    past = np.array([1, 2, 4, 8.0])
    assert batch.scale.mean[:, 0] == pytest.approx([past.mean(), 10 * past.mean()], rel=1e-6)
    deviation = np.array([1, 2, 4, 8, 16, 900]).std()
    assert batch.scale.deviation[:, 0] == pytest.approx([LEAST * deviation, 10 * past.std()], rel=1e-5)
    assert torch.allclose(batch.past[:, 1, 0], torch.tensor((past - past.mean()) / past.std()).float(), atol=1e-4)
    assert batch.came[:, :, 0].T.ravel() == pytest.approx([16, 900, 160, 9000])


def test_a_column_that_never_changed_is_scaled_by_its_size():
    fitted = Forecast.fit(["y"], ["z"], [("", np.array([[0.1, 0.0]] * 1000))])  # the first deviates by 2e-16, for numpy
    assert (fitted.mean.tolist(), fitted.deviation.tolist()) == ([0.1, 0.0], [0.1, 1.0])


def test_a_series_has_the_scale_of_its_training_part_or_that_of_the_window():
    known = {"a": [0, 2, 0, 2, 0, 2], "still": [7] * 6, "new": [10, 30, 10, 30, 0, 0]}
    batch = windows("series", **known).batch(np.arange(3))
    assert batch.scale.mean[:, 0] == pytest.approx([1, 7, 20])
    assert batch.scale.deviation[:, 0] == pytest.approx([1, 7, 10])
    assert batch.scale.steady[:, 0].tolist() == [False, True, False]
    assert batch.past[:, :2, 0].T.tolist() == [[-1, 1, -1, 1], [0, 0, 0, 0]]


@pytest.mark.parametrize("scale", SCALES)
def test_series_that_come_later_have_scales_of_their_own_and_those_before_keep_theirs(scale):
    before, later = np.array([[1.0, 5.0], [3.0, 5.0]]), np.array([[10.0, 0.0], [30.0, 4.0]])
    fitted = Forecast.fit(["sold"], ["price"], [("a", before)], scale)
    grown = fitted.with_series([("a", later), ("b", later)])
    own = {} if scale == "column" else {"a": [[2.0, 5.0], [1.0, 0.0]], "b": [[20.0, 2.0], [10.0, 2.0]]}
    assert grown.to_dict() == fitted.to_dict() | {"series": own}


@pytest.mark.parametrize("far", [99.0, -99.0, 101.0, -101.0])
def test_a_window_that_leaves_the_scale_of_its_series_has_its_own(far):
    values = np.array([[10.0, 1.0], [30.0, 5.0]])
    scales = Forecast.fit(["sold"], ["price"], [("a", values)], "series").scales([("a", values)])
    past = torch.zeros(4, 2, 2)
    past[0, 1, 0] = far
    scale, own = scales.of(past, np.array([0, 0]))
    if abs(far) < 100:
        assert own is None
    else:
        level, spread = own
        assert level.tolist() == [[0, 0], [far / 4, 0]]
        assert spread.tolist() == [[1, 1], [pytest.approx(abs(far) * 3**0.5 / 4), 1]]
        assert scale.mean.tolist() == [[20, 3], [20 + 10 * far / 4, 3]]
        assert not scale.steady.any()


def test_what_follows_a_window_without_a_scale_teaches_nothing():
    batch = windows("window", new=[0, 0, 0, 0, 3, 4], a=[1, 2, 3, 4, 5, 6]).batch(np.arange(2))
    assert batch.taught[:, 0].tolist() == [[0], [0]]
    assert batch.came[:, 0, 0] == pytest.approx([3, 4])
    assert batch.taught[:, 1].equal(batch.future[:, 1])


def test_every_series_counts_alike_in_the_figures():
    training = {"small": np.array([[0.0], [1.0], [0.0]]), "large": np.array([[0.0], [1000.0], [0.0]])}
    series = [*training.items(), ("still", np.full((3, 1), 5.0)), ("new", np.array([[0.0], [4.0]]))]
    errors = Errors(Yardsticks.of(series, training, 1, 1), grouped=True)
    said = np.zeros((1, 5, 1, 6))
    errors.add(said, np.array([0.5, 0.5, 2000.0, 1.0, 2.0]).reshape(1, 5, 1), np.array([0, 0, 1, 2, 3]))
    score = errors.score()
    assert score["mase"] == pytest.approx((0.5 + 2 + 0.5) / 3)
    assert score["mae_original"] == pytest.approx((0.5 + 0.5 + 2000 + 1 + 2) / 5)
    assert (score["series"], score["symbols"]) == (4, 5)
    found = side_by_side(errors, errors, ["small", "large", "still", "new"])
    assert [row["series"] for row in found["rows"]] == ["large", "small", "new"]
    assert (found["count"], found["measured"], found["better"]) == (4, 3, 0)


def test_a_target_that_never_changed_has_no_part_in_figures_without_a_unit():
    values = np.stack([np.arange(9.0) % 4, np.full(9, 1e6)], 1)
    errors = Errors(Yardsticks.of([("", values)], {}, 2, 1), grouped=False)
    came = values[-1].reshape(1, 1, 2)
    errors.add((came + np.array([1.0, 100.0]))[..., None].repeat(6, -1), came, np.array([0]))
    score, (load, still) = errors.score(), errors.by_target(["load", "still"])
    assert [score[name] for name in ("mse", "mae", "mase")] == [load[name] for name in ("mse", "mae", "mase")]
    assert score["mse"] == pytest.approx(1 / values[:, 0].var())
    assert score["mae_original"] == pytest.approx((1 + 100) / 2)
    assert still == {"target": "still", "mae_original": 100.0, "inside": 0.0}


def test_errors_without_any_unit_are_told_as_they_are():
    still = Errors(Yardsticks.of([("", np.full((9, 1), 5.0))], {}, 1, 1), grouped=False)
    still.add(np.zeros((2, 1, 1, 6)), np.array([3.0, 5.0]).reshape(2, 1, 1), np.array([0]))
    assert still.score() == {
        "mse": (9 + 25) / 2, "mae": 4.0, "mase": 4.0, "pinball": pytest.approx(4.0 / 2),
        "mse_original": (9 + 25) / 2, "mae_original": 4.0, "symbols": 1, "unit": "window",
    }  # fmt: skip
    assert still.by_step() == [[3.0, 5.0]]
    assert still.by_level() == [[0.0] * 5]
    grouped = Errors(still.yardsticks, grouped=True)
    grouped.add(np.zeros((2, 1, 1, 6)), np.array([3.0, 5.0]).reshape(2, 1, 1), np.array([0]))
    assert grouped.by_step() == [[]]  # each over its own yardstick, which there is not


def test_of_many_series_the_worst_and_the_best_are_listed_and_those_without_windows_are_not_counted():
    names = [f"s{k}" for k in range(23)]
    ones = np.ones((23, 1))
    errors, rival = (Errors(Yardsticks(ones, ones), grouped=True) for _ in range(2))
    came = np.arange(1.0, 22.0).reshape(1, 21, 1)  # the last two have no windows
    errors.add(np.zeros((1, 21, 1, 6)), came, np.arange(21))
    rival.add(np.full((1, 21, 1, 6), 0.5), came, np.arange(21))
    assert errors.score()["series"] == 21
    found = side_by_side(errors, rival, names)
    assert [row["series"] for row in found["rows"]] == [f"s{k}" for k in (*range(20, 10, -1), *range(9, -1, -1))]
    assert [row["naive"] for row in found["rows"]][:2] == [20.5, 19.5]
    assert (found["count"], found["measured"], found["better"]) == (21, 21, 0)
    assert side_by_side(rival, errors, names)["better"] == 21
    few = Errors(Yardsticks(ones, ones), grouped=True)
    few.add(np.zeros((1, 12, 1, 6)), came[:, :12], np.arange(12))
    assert [row["series"] for row in side_by_side(few, few, names)["rows"]] == [f"s{k}" for k in range(11, -1, -1)]


def test_a_column_called_step_is_free_where_a_forecast_has_times(shops, tmp_path):
    rows = [
        {"step": t, "shop": name, "sold": value} for name, values in shops.items() for t, value in enumerate(values)
    ]
    path = tables.write(tmp_path / "t.parquet", rows)
    run = elman.train("forecasting", path, out=tmp_path / "r", time="step", quiet=True, **TINY)
    assert [row["step"] for row in run.predict(path)] == [str(t) for t in range(260, 266)] * len(shops)

    named = [{"date": row["step"], "step": row["shop"], "sold": row["sold"]} for row in rows]
    other = elman.train(
        "forecasting", tables.write(tmp_path / "o.parquet", named), out=tmp_path / "o", quiet=True,
        **(TINY | {"group": "step"}),
    )  # fmt: skip
    assert {row["step"] for row in other.predict(named)} == set(shops)
    with pytest.raises(DataError, match="no column 'date', and steps are numbered in 'step' where there are no times"):
        other.predict([{name: row[name] for name in ("step", "sold")} for row in named])
    with pytest.raises(UsageError, match="would have two columns named 'step'; rename the table's"):
        elman.train(
            "forecasting", [{"step": row["shop"], "sold": row["sold"]} for row in rows], out=tmp_path / "p",
            quiet=True, **(TINY | {"group": "step"}),
        )  # fmt: skip
