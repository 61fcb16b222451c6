"""A stream of measurements is tagged as the whole row is, wherever it is cut, and whatever stands beside it."""

import copy
import itertools
import json
import random

import pytest
import torch

import elman
from elman.data import tables
from elman.errors import DataError, UsageError


def walks(count, steps):
    """Whether a walk has just gone up, and whether it is above where it was two steps ago."""
    draw, rows = random.Random(count), []
    for _ in range(count):
        moves = [draw.choice((-1.0, 1.0)) for _ in range(steps)]
        walk = list(itertools.accumulate(moves))
        up = ["up" if move > 0 else "down" for move in moves]
        late = [int(at > before) for at, before in zip(walk, [0.0, 0.0, *walk], strict=False)]
        rows.append({"walk": [[at, draw.random()] for at in walk], "moves": up, "late": late})
    return rows


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A tagger of one direction."""
    folder = tmp_path_factory.mktemp("tagging")
    table = tables.write(folder / "t.jsonl", walks(80, 20))
    options = {"hidden": 16, "epochs": 10.0, "rate": 0.01, "precision": "float32", "batch": 16, "cell": "gru"}
    return elman.train(
        "tagging",
        table,
        input="walk",
        output=["moves", "late"],
        bidirectional=False,
        out=folder / "r",
        quiet=True,
        **options,
    )


def same(found, expected):
    """Whether answers are alike, to the rounding of probabilities."""
    assert [(a["moves"], a["late"]) for a in found] == [(a["moves"], a["late"]) for a in expected]
    for name in ("moves_probability", "late_probability"):
        assert [a[name] for a in found] == pytest.approx([a[name] for a in expected], abs=2e-6)


def whole(run, values):
    """What `predict` says of a row, step by step."""
    (row,) = run.predict([{"walk": values}])
    names = ("moves", "moves_probability", "late", "late_probability")
    return [dict(zip(names, said, strict=True)) for said in zip(*(row[name] for name in names), strict=True)]


def test_a_stream_says_what_is_said_of_the_whole_row(run):
    assert run.streams == "steps"
    (row,) = walks(1, 31)
    values, expected = row["walk"], whole(run, row["walk"])
    stream = run.stream()
    found = []
    for cut in (0, 1, 1, 5, 24):
        found += stream.feed(values[len(found) : len(found) + cut])
    same(found, expected)
    stream.reset()
    same([answer for step in values for answer in stream.feed(step)], expected)


def test_its_state_is_all_of_it(run):
    (row,) = walks(1, 20)
    values, expected = row["walk"], whole(run, row["walk"])
    stream = run.stream()
    stream.feed(values[:7])
    other, third, fourth = run.stream(), copy.copy(stream), copy.deepcopy(stream)
    other.state = stream.state
    stream.feed(values[:3])
    same(other.feed(values[7:]), expected[7:])
    same(third.feed(values[7:]), expected[7:])
    same(fourth.feed(values[7:]), expected[7:])
    assert fourth.tagger is stream.tagger  # a copy shares the network
    assert sum(tensor.nbytes for tensor in other.state.values()) < 200
    wrong = other.state | {"before": torch.zeros(2, 2)}
    with pytest.raises(UsageError, match=r"before float32\[0 to 1, 2\]"):
        other.state = wrong
    with pytest.raises(UsageError, match="says 0 steps"):
        other.state = other.state | {"steps": torch.tensor([0])}


def test_what_stands_beside_a_series_does_not_change_its_tags(run):
    rows = [row["walk"] for row in walks(3, 12)]
    tagger = run.stream().tagger
    feeds = [(tagger.fresh, tagger.scaled(row[:count])) for row, count in zip(rows, (12, 1, 5), strict=True)]
    for row, found, count in zip(rows, tagger.read(feeds), (12, 1, 5), strict=True):
        same(found.answers, whole(run, row)[:count])


def test_lines_of_numbers_are_followed(run):
    (row,) = walks(1, 4)
    lines = ["{},{}\n".format(*row["walk"][0]), "\n", json.dumps(row["walk"][1]), "{} {}".format(*row["walk"][2])]
    found = list(run.stream().follow(lines))
    assert [answer["step"] for answer in found] == [1, 2, 3]
    same(found, whole(run, row["walk"])[:3])
    for line in ("1;x", "1,2,3", "[1]", "[1, null]", "nan 1"):
        with pytest.raises(DataError, match=r"line 1, .* is not a time step of this run, which has 2 numbers"):
            list(run.stream().follow([line]))


def test_what_is_no_time_step_is_told(run):
    for values in ([1.0], [[1.0, 2.0, 3.0]], [[1.0, float("nan")]], "ab", [[[1.0, 2.0]]]):
        with pytest.raises(DataError, match="a stream of this run reads 2"):
            run.stream().feed(values)
    with pytest.raises(UsageError, match="leave out weights="):
        run.stream(weights=torch.int8)


def test_runs_that_need_whole_rows_say_so(run, tmp_path):
    table = tables.write(tmp_path / "t.jsonl", walks(20, 5))
    options = {"hidden": 8, "epochs": 1.0, "precision": "float32", "quiet": True}
    both = elman.train("tagging", table, input="walk", output="moves", out=tmp_path / "r", **options)
    assert both.streams == ""
    with pytest.raises(UsageError, match="reads every series from both ends"):
        both.stream()
