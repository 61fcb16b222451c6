"""Tagging and classification of tables with a row per time step: read as lists in cells are, answered row by row."""

import random

import polars as pl
import pytest

import elman
from elman.data import tables
from elman.errors import DataError, UsageError
from elman.tasks import stepwise, together
from elman.tasks.stepwise import Given

from .conftest import TINY

OPTIONS = TINY | {"batch": 4, "bidirectional": False}


def steps(count, seed=0):
    """Pulses up and down; the tag is the sign of the last one, the kind is how often they come. Rows are mixed."""
    draw, rows = random.Random(seed), []
    for series in range(count):
        often, last = series % 2, "up"
        for time in range(draw.randint(20, 30)):
            pulse = draw.choice((1, -1)) if time == 0 or draw.random() < (0.6 if often else 0.2) else 0
            last = {1: "up", 0: last, -1: "down"}[pulse]
            values = {"pulse": pulse + draw.gauss(0, 0.05), "noise": draw.gauss(3, 1)}
            rows.append(
                {"machine": f"m{series}", "time": time, **values, "state": last, "kind": ["calm", "busy"][often]}
            )
    return sorted(rows, key=lambda row: row["time"])


def lists(rows):
    """The same with a row per series."""
    table = pl.DataFrame(rows).group_by("machine", maintain_order=True).agg(pl.all())
    return [
        {"signal": [[p, n] for p, n in zip(row["pulse"], row["noise"], strict=True)], "state": row["state"]}
        | {"kind": row["kind"][0]}
        for row in table.to_dicts()
    ]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("steps")
    for part, count in (("train", 40), ("test", 8)):
        rows = steps(count, seed=count)
        tables.write(folder / f"{part}.csv", rows)
        tables.write(folder / f"{part}.jsonl", lists(rows))
    return folder


@pytest.fixture(scope="module")
def run(place):
    test, answered = place / "test.csv", ["state", "kind"]
    return elman.train(
        "tagging", place / "train.csv", test=test, output=answered, out=place / "run", quiet=True, **OPTIONS
    )


def test_it_learns_what_the_same_series_in_cells_teach(run, place):
    score = run.scores["test"]
    assert score["tag_accuracy"] > 0.9
    assert score["symbols"] == len(tables.read(place / "test.csv"))
    told = {"input": "signal", "output": ["state", "kind"], "test": place / "test.jsonl", "quiet": True}
    listed = elman.train("tagging", place / "train.jsonl", out=place / "listed", **told, **OPTIONS)
    assert [listed.scores["test"][name] for name in ("tag_accuracy", "label_accuracy")] == [
        score[name] for name in ("tag_accuracy", "label_accuracy")
    ]
    ours, theirs = run.predict(place / "test.csv"), listed.predict(place / "test.jsonl")
    first = [row["state_probability"] for row in ours if row["machine"] == "m0"]
    assert first == theirs[0]["state_probability"]


def test_parts_are_of_whole_series_and_the_run_knows_its_columns(run):
    parts = [set(run.prepared.column(part, "machine").values) for part in ("train", "valid")]
    assert not parts[0] & parts[1]
    assert [len(part) for part in parts] == [36, 4]
    facts = run.description["data"]["train"]
    assert (facts["series"], facts["rows"]) == (36, facts["time_steps"])
    assert run.prepared.columns == {"read": ["time", "machine", "pulse", "noise"], "answered": ["state", "kind"]}
    assert run.evaluate()["score"] == run.scores["test"]


def test_predictions_are_rows_as_they_were_given(run, place):
    given = tables.read(place / "test.csv")
    rows = run.predict(place / "test.csv")
    assert [(row["machine"], str(row["time"])) for row in rows] == given.frame.select("machine", "time").rows()
    answers = ["state", "kind", "state_probability", "kind_probability"]
    assert {*rows[0]} == {"machine", "time", "pulse", "noise", *answers}
    right = sum(row["state"] == truth for row, truth in zip(rows, given.frame["state"], strict=True))
    assert right / len(rows) == pytest.approx(run.scores["test"]["tag_accuracy"])
    alone = [{"machine": 7, "pulse": 1, "noise": 3.5}]
    assert run.predict(alone)[0].items() >= {"machine": 7, "pulse": 1, "state": "up"}.items()
    with pytest.raises(DataError, match="row 1 is no object; give one with a value for each column"):
        run.predict([[1.0, 3.0]])


def test_a_written_table_keeps_its_own_tags_beside_those_that_are_predicted(run, place):
    given, found = tables.read(place / "test.csv"), run.predictions(place / "test.csv")
    written = found.table()
    assert written.select(given.names).equals(given.frame)
    assert written.columns[len(given.names) :] == [
        "predicted_state", "predicted_state_probability", "predicted_kind", "predicted_kind_probability",
    ]  # fmt: skip
    assert written["predicted_state"].to_list() == [row["state"] for row in found.rows]


def test_series_are_answered_block_by_block_as_all_at_once(run, tmp_path, monkeypatch):
    for name, value in (("SMALLEST", 1), ("LARGEST", 1), ("STEPS", 50)):
        monkeypatch.setattr(together, name, value)  # two or three series in a block
    mixed = steps(8, seed=8)
    for rows, blocks in ((mixed, 1), (sorted(mixed, key=lambda row: row["machine"]), 4)):
        tables.write(tmp_path / "t.csv", rows)
        found = [block.rows for block in run.predictions_in_blocks(tmp_path / "t.csv")]
        assert len(found) >= blocks
        assert [row for block in found for row in block] == [
            pytest.approx(row, abs=2e-6) for row in run.predict(tmp_path / "t.csv")
        ]


def test_several_callers_are_answered_as_if_alone_and_count_their_series(run):
    requests = [[{"machine": k // 2, "pulse": 0.5 * k, "noise": 3.0} for k in range(4)], [{"pulse": 1}]]
    found = run.predict_each([requests[0], requests[1], requests[0][:2]])
    assert isinstance(found[1], DataError)
    for rows, asked in ((found[0], requests[0]), (found[2], requests[0][:2])):
        for row, alone in zip(rows, run.predict(asked), strict=True):
            assert row == alone | {name: pytest.approx(alone[name], abs=2e-6) for name in alone if "_pro" in name}
    assert [run.batch_rows(rows) for rows in requests] == [2, 1]


def test_a_stream_answers_the_rows_as_they_come(run, place):
    whole = [row for row in run.predict(place / "test.csv") if row["machine"] == "m1"]
    found = list(run.stream().follow(f"{row['pulse']}, {row['noise']}\n" for row in whole))
    assert [row["state"] for row in found] == [row["state"] for row in whole]


def test_a_run_is_continued_and_reads_its_windows_again(tmp_path):
    path = tables.write(tmp_path / "t.csv", [{name: row[name] for name in ("pulse", "state")} for row in steps(1) * 9])
    options = OPTIONS | {"epochs": 1.0, "window": 16, "quiet": True, "out": tmp_path / "run"}
    run = elman.train("tagging", path, **options)
    facts = run.description["data"]
    rows = len(tables.read(path))
    assert facts["train"]["rows"] + facts["valid"]["rows"] == rows
    assert facts["train"]["windows"] > 1
    assert run.prepared.column("valid", "pulse").rows.tolist() == [facts["train"]["rows"] + 1]
    more = elman.train("tagging", path, out=tmp_path / "run", resume=True, epochs=2.0, quiet=True)
    assert more.description["training"]["epochs"] == pytest.approx(2, abs=0.5)
    assert len(more.predict(path)) == rows


def test_series_are_classified_by_a_label_that_each_has_once(place, tmp_path):
    rows = [row | {"kind": row["kind"] if row["time"] == 3 else None} for row in steps(60)]
    path = tables.write(tmp_path / "t.parquet", rows)
    given = {"input": ["pulse", "noise"], "output": "kind", "group": "machine"}
    run = elman.train("classification", path, out=tmp_path / "run", quiet=True, **given, **OPTIONS)
    assert run.scores["valid"]["accuracy"] > 0.8
    assert run.scores["valid"]["symbols"] == 6
    found = run.predict(place / "test.csv")
    assert [row["machine"] for row in found] == [f"m{k}" for k in range(8)]
    assert {*found[0]} == {"machine", "kind", "kind_probability"}


ACTIVITY = {"person": "p", "x": 0.5, "y": 0.5, "z": 1, "activity": "walk"}


def table(*changes, **common):
    """Rows of two people in turn, ten each, changed by columns: each change is a function of the row's number."""
    made = [ACTIVITY | {"person": "pq"[k // 10], "activity": ["walk", "sit"][k // 3 % 2]} for k in range(20)]
    made = [
        row | common | {name: value(k) for change in changes for name, value in change.items()}
        for k, row in enumerate(made)
    ]
    return tables.from_rows([{name: value for name, value in row.items() if value != ""} for row in made], "t.csv")


FOUND = {
    "by names": (table(), Given(), True, (["x", "y", "z"], ["activity"], [], "person", None)),
    "times": (table({"Time": int}), Given(), True, (["x", "y", "z"], ["activity"], [], "person", "Time")),
    "one series": (table(person=""), Given(), True, (["x", "y", "z"], ["activity"], [], None, None)),
    "by blocks": (table({"take": lambda k: f"t{k // 5}"}, person=""), Given(), True,
                  (["x", "y", "z"], ["activity"], [], "take", None)),
    "what never changes": (table({"city": lambda k: "ab"[k // 10]}), Given(outputs=("activity", "city")), True,
                           (["x", "y", "z"], ["activity"], ["city"], "person", None)),
    "labels": (table({"activity": lambda k: "ab"[k // 10]}), Given(), False,
               (["x", "y", "z"], [], ["activity"], "person", None)),
    "numbers as labels": (table({"label": lambda k: k // 10}, activity=""), Given(), False,
                          (["x", "y", "z"], [], ["label"], "person", None)),
    "as it is said": (table(), Given(("z",), ("activity",), "person"), True, (["z"], ["activity"], [], "person", None)),
    "texts": (table({"text": lambda k: f"a text {k}"}), Given(), True, None),
    "lists": (table({"signal": lambda k: [1.5, k]}), Given(), True, None),
    "rows of features": (table(person="", x=1), Given(), False, None),
}  # fmt: skip


@pytest.mark.parametrize("name", FOUND)
def test_columns_are_found_by_what_they_hold_and_that_is_said(name):
    read, given, tags, expected = FOUND[name]
    found = stepwise.find(read, given, tags=tags)
    if expected is None:
        assert found is None
        return
    layout, note = found
    assert (layout.inputs, layout.tags, layout.labels, layout.group, layout.time) == expected
    assert bool(note) == (name != "as it is said")
    assert all(repr(column) in note for column in layout.outputs if note)


REFUSED = {
    "a wrong name": (Given(("x", "w")), True, "t.csv has no column 'w'"),
    "twice": (Given(("x", "y"), ("x",)), True, "the column 'x' is named twice"),
    "texts as numbers": (Given(("x", "activity")), True, "--input names 'activity', which holds text; a row per"),
    "no series": (Given(("x", "y"), ("activity",), time="z"), False, "t.csv shows no column that tells series apart"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_told(name):
    given, tags, message = REFUSED[name]
    with pytest.raises((DataError, UsageError)) as found:
        stepwise.find(table(person="") if name == "no series" else table(), given, tags=tags)
    assert str(found.value).startswith(message)


def test_bad_parts_are_told_by_row_and_leave_nothing(place, tmp_path):
    rows = steps(4)
    rows[17]["state"] = "sideways"
    given = {"output": "state", "out": tmp_path / "run", "quiet": True, **OPTIONS}
    test = tables.write(tmp_path / "t.csv", rows)
    with pytest.raises(DataError, match=r"t.csv, row 18, column 'state' has the tag 'sideways', which training has n"):
        elman.train("tagging", place / "train.csv", test=test, **given)
    with pytest.raises(
        DataError, match=r"column 'state' is '\w+', but series 'm\d+' is '\w+' in row \d+; give a series"
    ):
        elman.train("classification", place / "train.csv", **given)
    with pytest.raises(DataError, match=r"has only 4 series, too few to learn from and hold some out"):
        elman.train("classification", test, **given | {"output": "kind", "input": ["pulse", "noise"]})
    with pytest.raises(UsageError, match="--hop 9 exceeds --window 8"):
        elman.train("tagging", test, **given, window=8, hop=9)
    assert not (tmp_path / "run").exists()
