"""Tables with a row per time step: which rows make which series, every flaw told by its row, answers put back."""

import datetime as dt
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from elman.data import tables
from elman.data.steps import StepLayout, in_blocks
from elman.errors import DataError

LAYOUT = StepLayout(["x", "y"], ["tag"], ["who"], "video", "time", window=3, hop=2)


def rows():
    """Two series whose rows stand between each other's: a with 4 steps, b with 3; a label that comes once."""
    order = "aababab"
    seen = dict.fromkeys(order, 0)
    made = []
    for number, video in enumerate(order):
        made.append({"video": video, "time": seen[video], "x": number, "y": -0.5 * number, "tag": f"t{number}"})
        made[-1]["who"] = f"who {video}" if seen[video] == 1 else None
        seen[video] += 1
    return made


def read(made, layout=LAYOUT):
    return layout.read(tables.from_rows(made, "t.csv"))


def test_a_series_is_a_row_of_lists_with_the_rows_that_they_came_from():
    table = read(rows())
    numbers = [[0, 1, 3, 5], [2, 4, 6]]
    assert table.frame["x, y"].to_list() == [[[n, -0.5 * n] for n in of] for of in numbers]
    assert table.frame["tag"].to_list() == [[f"t{n}" for n in of] for of in numbers]
    assert table.frame["who"].to_list() == ["who a", "who b"]
    assert table.column("tag").rows.tolist() == [1, 3]
    assert str(table.column("tag").error(1, "is odd", 2)) == "t.csv, row 7, column 'tag' is odd"
    assert str(table.take(np.array([1])).column("tag").error(0, "is odd", 0)) == "t.csv, row 3, column 'tag' is odd"
    alone = table.column("tag").take(np.array([1, 0]))
    assert [str(alone.error(k, "is odd", 1)).split(",")[1] for k in (0, 1)] == [" row 5", " row 2"]


def test_windows_leave_no_step_out_and_keep_labels():
    windows = read(rows()).windows()
    assert windows.frame["tag"].to_list() == [["t0", "t1", "t3"], ["t1", "t3", "t5"], ["t2", "t4", "t6"]]
    assert windows.frame["who"].to_list() == ["who a", "who a", "who b"]
    for steps in range(2, 40):
        one = read(
            [{"x": k, "y": 0, "tag": "t"} for k in range(steps)], StepLayout(["x"], ["tag"], [], window=7, hop=5)
        )
        assert {n for window in one.windows().frame["x"] for n in window} == set(range(steps))
        assert set(one.windows().frame["x"].list.len()) == {min(7, steps)}


def test_a_single_series_is_cut_in_time():
    one = read([{"x": k, "tag": "t"} for k in range(10)], StepLayout(["x"], ["tag"], []))
    begun, ended = one.cut(0.2)
    assert (begun.frame["x"].to_list(), ended.frame["x"].to_list()) == ([[*range(8)]], [[8, 9]])
    assert ended.column("tag").rows.tolist() == [9]
    assert [len(part.places.values) for part in one.cut(0.001)] == [9, 1]


def test_answers_come_back_beside_the_rows_as_json_can_have_them():
    made = [row | {"at": dt.date(2026, 5, 11), "more": float("nan"), "x": str(row["x"])} for row in rows()]
    table = LAYOUT.read(tables.from_rows(made), answered=False)
    said = [{"x, y": 0, "tag": [*"0135"], "tag_probability": [0.5] * 4, "who": "A"}]
    said += [{"x, y": 0, "tag": [*"246"], "tag_probability": [0.5] * 3, "who": "B"}]
    (told,) = table.told([said])
    assert [row["tag"] for row in told] == [*"0123456"]
    assert [row["who"] for row in told] == [*"AABABAB"]
    assert told[2] == {
        **rows()[2],
        "at": "2026-05-11",
        "more": None,
        "tag": "2",
        "tag_probability": 0.5,
        "who": "B",
    }
    labels = StepLayout(["x", "y"], [], ["who"], "video").read(tables.from_rows(made), answered=False)
    assert [*labels.told([[{"x, y": 0, "who": "A"}], [{"x, y": 0, "who": "B"}]])] == [
        [{"video": "a", "who": "A"}],
        [{"video": "b", "who": "B"}],
    ]


def test_answers_come_back_once_all_rows_above_have_theirs(monkeypatch):
    monkeypatch.setattr("elman.data.steps.MOST", 2)
    made = [{"x": k, "of": of} for k, of in enumerate("aabcbcd")]
    table = StepLayout(["x"], ["tag"], [], "of").read(tables.from_rows(made), answered=False)
    asked = []

    def answers():
        for steps in table.frame["x"]:
            asked.append(steps)
            yield [{"x": steps, "tag": [2 * int(x) for x in steps]}]

    told = [(len(asked), [(row["x"], row["tag"]) for row in rows]) for rows in table.told(answers())]
    assert told == [
        (1, [(0, 0), (1, 2)]),
        (2, [(2, 4)]),
        (3, [(3, 6), (4, 8)]),
        (3, [(5, 10)]),
        (4, [(6, 12)]),
    ]


def test_a_table_without_the_column_of_times_is_in_order_and_times_may_repeat():
    made = [{name: value for name, value in row.items() if name != "time"} for row in rows()]
    assert read(made).frame["tag"].to_list() == read(rows()).frame["tag"].to_list()
    assert len(read([row | {"time": 3} for row in rows()])) == 2


@pytest.mark.parametrize(
    ("values", "blocks"),
    [
        ("aabb", True),
        ("aaabbc", True),
        ("aabbc", False),
        ("aabba", False),
        ("abab", False),
        ("aaaa", True),
        ("a", False),
    ],
)
def test_a_column_names_series_where_each_value_stands_in_rows_of_its_own_and_most_in_several(values, blocks):
    assert in_blocks(tables.from_rows([{"a": value} for value in values]).column("a")) == blocks


WRONG = {
    "a number": ({"y": None}, "row 5, column 'y' is empty"),
    "a finite number": ({"y": float("inf")}, "row 5, column 'y' is inf, not a finite number"),
    "a time": ({"time": -1}, "row 5, column 'time' goes back in time of series 'b'; sort the rows"),
    "a series": ({"video": None}, "row 5, column 'video' is empty"),
    "a tag": ({"tag": None}, "row 5, column 'tag' is empty; fill it in, or remove the row"),
    "one label": ({"who": "c"}, "row 7, column 'who' is 'who c', but series 'b' is 'c' in row 5; give a series one"),
    "two steps": ({"video": "c"}, "row 5, column 'video' is 'c' in this row alone, and a series needs two time steps"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_told_by_row_and_column(name):
    change, message = WRONG[name]
    made = rows()
    if "who" in change:
        made[6]["who"] = "who c"
    made[4] |= change
    with pytest.raises(DataError) as found:
        read(made)
    assert str(found.value).startswith(f"t.csv, {message}")


def test_columns_that_cannot_be_what_they_are_named_for_are_told():
    for videos, row, named in (("ab", 1, "a"), ("b", 3, "b")):
        with pytest.raises(DataError, match=f"row {row}, column 'who' is empty in every row of series '{named}'"):
            read([row | ({"who": None} if row["video"] in videos else {}) for row in rows()])
    made = [row | {"second": "t"} for row in rows()]
    made[3]["second"] = None
    with pytest.raises(DataError, match="row 4, column 'second' is empty"):
        read(made, replace(LAYOUT, tags=["tag", "second"]))
    with pytest.raises(DataError, match="every row of column 'video' has a value of its own"):
        read([row | {"video": k} for k, row in enumerate(rows())])
    with pytest.raises(DataError, match=r"t.csv has no column 'tag'"):
        read(pl.DataFrame(rows()).drop("tag").to_dicts())
