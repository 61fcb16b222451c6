"""Event modelling: sets of events are learnt, scored beside baselines, told row by row, and gone on with."""

import json
import math
import random

import numpy as np
import pytest

import elman
from elman.baselines.events import Frequency, Regression
from elman.cli import output
from elman.data import tables
from elman.data.ragged import Ragged
from elman.errors import DataError, UsageError
from elman.modalities.events import EncodedEvents
from elman.tasks import event_measures

TINY = {"hidden": 24, "embedding": 16, "readout": 16, "epochs": 12.0, "rate": 0.02, "dropout": 0.0, "batch": 8}
TINY |= {"precision": "float32", "average": 0.9}
FAULTS = {"pump": ["flow", "pump"], "valve": ["heat", "valve"]}


def alarms(count, seed=0):
    """One of two pairs of alarms by chance, then what goes off by it, then nothing: ln 2 nats in three steps."""
    draw, rows = random.Random(seed), []
    for _ in range(count):
        faults = [draw.choice(list(FAULTS)) for _ in range(draw.randint(2, 6))]
        rows.append({"log": [step for fault in faults for step in (FAULTS[fault], [f"{fault} off"], [])], "plant": "A"})
    return rows


def baskets(count, seed=0):
    """Goods by number; what is bought at one visit is not bought at the next."""
    draw, rows = random.Random(seed), []
    for _ in range(count):
        goods, visits = set(), []
        for _ in range(draw.randint(2, 7)):
            goods = {good for good in range(101, 107) if good not in goods and draw.random() < 0.5}
            visits.append(sorted(goods))
        rows.append({"visits": visits})
    return rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The tables."""
    place = tmp_path_factory.mktemp("events")
    for name, make in (("alarms", alarms), ("baskets", baskets)):
        tables.write(place / f"{name}.jsonl", make(150))
        tables.write(place / f"test-{name}.jsonl", make(40, seed=1))
    return place


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    """Runs on them; on the alarms also one of independent events."""
    out, runs = tmp_path_factory.mktemp("runs"), {}
    for name, data, options in (
        ("alarms", "alarms", {}),
        ("apart", "alarms", {"autoregressive": False}),
        ("baskets", "baskets", {}),
    ):
        given = {"test": folder / f"test-{data}.jsonl", "out": out / name, "quiet": True} | TINY | options
        runs[name] = elman.train("event-modeling", folder / f"{data}.jsonl", **given)
    return runs


def test_what_goes_together_is_learnt_as_one(trained):
    together, apart = (trained[name].scores["test"] for name in ("alarms", "apart"))
    assert next(iter(together)) == "step_loss"
    assert together["step_loss"] == pytest.approx(math.log(2) / 3, abs=0.05)
    assert apart["step_loss"] == pytest.approx(4 * math.log(2) / 3, abs=0.1)  # four coins instead of one
    assert together["recall"] > 0.3
    assert together["symbols"] == sum(len(row["log"]) for row in alarms(40, seed=1))


def test_baselines_stand_beside_it(trained, capsys):
    run = trained["baskets"]
    frequency, repetition, regression = run.description["baselines"]["test"]
    assert run.scores["test"]["step_loss"] < frequency["step_loss"] - 0.3
    assert repetition["step_loss"] < frequency["step_loss"] - 0.7  # it is how the baskets were made
    assert regression["step_loss"] == pytest.approx(repetition["step_loss"], abs=0.15)
    assert "precision" not in frequency  # it expects nothing rather than not
    assert run.evaluate()["score"] == run.scores["test"]
    output.print_scores("test", run.scores["test"], run.description["baselines"]["test"])
    assert "nats per step" in capsys.readouterr().out


def test_the_figures_of_sets_are_those_of_their_definitions():
    """TP, FP and FN over all steps and events, and ln P over steps, however many are added at a time."""
    tally = event_measures.Tally()
    tally.add(-3.0, np.array([[1, 1, 0], [0, 0, 0]], bool), np.array([[1, 0, 0], [1, 1, 1]], bool))
    tally.add(-1.0, np.array([[0, 0, 1]], bool), np.array([[0, 0, 1]], bool))
    assert tally.figures() == pytest.approx(
        {"step_loss": 4 / 3, "frame_accuracy": 2 / 6, "precision": 2 / 3, "recall": 2 / 5}
    )


def test_a_baseline_is_scored_by_what_it_says_of_every_event():
    """Event 0 comes in four of five steps, and is expected in each; event 1 in one, and never."""
    encoded = EncodedEvents(Ragged.of(np.array([0, 0, 1, 0, 0]), np.array([1, 2, 1, 0, 1])), np.array([0, 3, 5]), 2)
    rows = [encoded.multi_hot(0, 3), encoded.multi_hot(3, 5)]
    frequency = Frequency(rows)
    shares = np.concatenate([frequency.probabilities(row) for row in rows])
    came = np.concatenate(rows)
    loss = -np.where(came, np.log(shares), np.log1p(-shares)).sum() / 5
    (found, *_) = event_measures.baselines(encoded, encoded, {})
    assert found.pop("name") == "frequency of each event"
    assert found == pytest.approx({"step_loss": loss, "frame_accuracy": 4 / 6, "precision": 4 / 5, "recall": 4 / 5})


@pytest.mark.parametrize(("cells", "rows"), [(20, 4), (15, 3), (14, 3), (10, 2), (9, 1), (1, 1)])
def test_regression_learns_from_the_rows_that_the_limits_allow(monkeypatch, cells, rows):
    """Of two events, and of four rows, 10 time steps together; one row at least."""
    sets = Ragged.of(np.array([0, 1, 0, 0, 1, 1]), np.array([1, 1, 0, 1, 0, 1, 0, 1, 0, 1]))
    encoded = EncodedEvents(sets, np.array([0, 3, 5, 7, 10]), 2)
    monkeypatch.setattr(event_measures, "MOST_CELLS", cells)
    monkeypatch.setattr(event_measures, "MOST_EVENTS", 2)
    fitted = {}
    title = list(event_measures.baselines(encoded, encoded, fitted))[-1]["name"]
    assert title == "logistic regression on two steps" + (f" of the first {rows} rows" if rows < 4 else "")
    alone = Regression([encoded.multi_hot(*encoded.starts[row : row + 2]) for row in range(rows)])
    row = encoded.multi_hot(0, 3)
    assert fitted[title].probabilities(row) == pytest.approx(alone.probabilities(row))
    monkeypatch.setattr(event_measures, "MOST_EVENTS", 1)
    assert "more than 1 events" in list(event_measures.baselines(encoded, encoded, {}))[-1]["note"]


def test_a_file_is_scored_as_it_was_in_training(trained, folder):
    found = trained["baskets"].evaluate(folder / "test-baskets.jsonl")
    assert found["score"] == trained["baskets"].scores["test"]
    assert found["baselines"] == trained["baskets"].description["baselines"]["test"]


def test_rows_are_told_step_by_step_and_only_by_what_came_before(trained):
    run = trained["alarms"]
    usual = [["flow", "pump"], ["pump off"], [], ["heat", "valve"]]
    strange = [["flow", "pump"], ["valve off"], [], ["smoke", "valve"]]
    one, other = run.predict([{"log": usual}, {"log": strange}])
    assert one["steps"] == 4
    assert one["log_probability"] == pytest.approx(sum(one["log_probability_steps"]), abs=1e-4)
    assert other["log_probability_steps"][0] == pytest.approx(one["log_probability_steps"][0], abs=1e-5)
    assert other["log_probability_steps"][1] < one["log_probability_steps"][1] - 2
    assert set(other["surprising"][:2]) == {2, 4}
    assert (one["unknown_events"], other["unknown_events"]) == (0, 1)
    assert one["next"][0] == "valve off"
    assert one["next_probability"][0] > 0.8
    assert run.predict([usual])[0] | {"row": 1} == one
    alone = run.predict_each([[usual], [[["flow"]], [["pump"], []]], [5]])
    assert alone[0][0]["log_probability"] == pytest.approx(one["log_probability"], abs=1e-5)
    assert [row["steps"] for row in alone[1]] == [1, 2]
    assert "not sets" in str(alone[2])


def test_what_is_told_fits_into_a_table(trained, folder, tmp_path):
    rows = trained["alarms"].predict(folder / "test-alarms.jsonl")
    for ending in (".jsonl", ".csv", ".parquet"):
        assert len(tables.read(tables.write(tmp_path / f"p{ending}", rows))) == 40
    assert '["flow", "pump"]' in (tmp_path / "p.csv").read_text().replace('""', '"')


def test_it_goes_on_from_sets(trained):
    run = trained["alarms"]
    written = "".join(run.generate('[["flow", "pump"]]', 5, temperature=0.0)).splitlines()
    assert written[0] == ""  # a line of its own behind the prompt
    assert [json.loads(line) for line in written[1:3]] == [["pump off"], []]
    prompt = '["flow", "pump"]\n["pump off"]'
    assert "".join(run.generate(prompt, 1, temperature=0.0)) == "\n[]"
    free = "".join(run.generate("", 30, temperature=1.0, seed=3)).splitlines()
    assert len(free) == 30
    assert sum(json.loads(line) in (*FAULTS.values(), ["pump off"], ["valve off"], []) for line in free) > 25
    assert "".join(trained["apart"].generate("", 3, seed=1)).count("[") == 3


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ('[["smoke"]]', "events that the network has never seen: 'smoke'"),
        ("flow pump", "the prompt is no list of sets of texts"),
        ("[[1]]", "the prompt is no list of sets of texts"),
        ('"flow"', "the prompt is no list of sets of texts"),
    ],
)
def test_a_prompt_that_is_none_is_told(trained, prompt, said):
    with pytest.raises(UsageError, match=said):
        trained["alarms"].generate(prompt, 1)


def test_the_column_is_found_or_asked_for(folder, tmp_path):
    rows = [row | {"other": [[1]], "name": "x"} for row in alarms(30)]
    path = tables.write(tmp_path / "two.jsonl", rows)
    with pytest.raises(UsageError, match=r"has sets in 'log', 'other'; say which to read: --input COLUMN"):
        elman.train("event-modeling", path, out=tmp_path / "r", quiet=True)
    with pytest.raises(UsageError, match="--input names 2 columns"):
        elman.train("event-modeling", path, out=tmp_path / "r", quiet=True, input="log,other")
    path = tables.write(tmp_path / "none.jsonl", [{"name": "x", "n": [1]} for _ in range(30)])
    with pytest.raises(
        DataError, match=r"has no column of sets, .*; it has 'name' \(texts\), 'n' \(lists of numbers\)"
    ):
        elman.train("event-modeling", path, out=tmp_path / "r", quiet=True)
    assert not (tmp_path / "r").exists()


def test_the_report_shows_what_came_and_what_was_expected(trained):
    shown = trained["alarms"].description["roll"]
    assert [event["event"] for event in shown[0]["events"]] == [
        "flow",
        "heat",
        "pump",
        "pump off",
        "valve",
        "valve off",
    ]
    page = trained["alarms"].report.read_text()
    assert "What came, and what it expected" in page
    assert 'class="came"' in page
