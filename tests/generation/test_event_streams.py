"""Sets of events are read one by one as the whole row is, wherever it is cut, and whatever stands beside it."""

import copy
import random

import pytest
import torch

import elman
from elman.data import tables
from elman.errors import DataError, UsageError


def row(seed, steps):
    """Numbers that come every second step."""
    draw = random.Random(seed)
    return [sorted(draw.sample(range(60, 66), draw.randint(0, 3))) if t % 2 else [60] for t in range(steps)]


@pytest.fixture(scope="module", params=["lstm", "apart"])
def run(tmp_path_factory, request):
    """A run with a long and a short state."""
    folder = tmp_path_factory.mktemp("sets")
    table = tables.write(folder / "t.jsonl", [{"x": row(seed, 12)} for seed in range(40)])
    options = {"hidden": 12, "embedding": 8, "readout": 8, "epochs": 2.0, "precision": "float32", "quiet": True}
    if request.param == "apart":
        options |= {"cell": "gru", "layers": 2, "autoregressive": False}
    return elman.train("event-modeling", table, out=folder / "r", **options)


def whole(run, steps):
    """What `predict` says of a row, step by step."""
    return pytest.approx(run.predict([{"x": steps}])[0]["log_probability_steps"], abs=1e-5)


def test_a_stream_says_what_is_said_of_the_whole_row(run):
    assert run.streams == "sets"
    steps, stream = row(100, 23), run.stream()
    expected = whole(run, steps)
    assert [stream.feed(step) for step in steps] == expected
    stream.reset()
    assert [said for cut in ((0, 2), (2, 2), (2, 9), (9, 23)) for said in stream.read(steps[slice(*cut)])] == expected
    told = run.predict([{"x": steps}])[0]
    assert [event for event, _ in stream.expected(5)] == told["next"]
    assert [share for _, share in stream.expected(5)] == pytest.approx(told["next_probability"], abs=1e-5)
    with pytest.raises(UsageError, match="asks for no event"):
        stream.expected(0)


def test_its_state_is_all_of_it(run):
    steps, stream = row(101, 12), run.stream()
    expected = run.predict([{"x": steps}])[0]["log_probability_steps"]
    stream.read(steps[:7])
    other, third, fourth = run.stream(), copy.copy(stream), copy.deepcopy(stream)
    other.state = stream.state
    stream.read(steps[:3])
    assert other.read(steps[7:]) == pytest.approx(expected[7:], abs=1e-5)
    assert third.read(steps[7:]) == pytest.approx(expected[7:], abs=1e-5)
    assert fourth.read(steps[7:]) == pytest.approx(expected[7:], abs=1e-5)
    assert fourth.reading is stream.reading  # a copy shares the network
    for wrong in ({"features": torch.zeros(1, 3)}, {"steps": torch.tensor([-1])}):
        with pytest.raises(UsageError, match="the state"):
            other.state = other.state | wrong


def test_what_stands_beside_a_sequence_does_not_change_it(run):
    rows = [row(seed, count) for seed, count in ((1, 12), (2, 1), (3, 5))]
    reading = run.stream().reading
    feeds = [(reading.fresh, reading.sets(steps)) for steps in rows]
    for steps, found in zip(rows, reading.read(feeds), strict=True):
        assert found.log_probabilities == whole(run, steps)
        assert int(found.state["steps"]) == len(steps)


def test_lines_of_sets_are_followed(run):
    found = list(run.stream().follow(["[60, 61]\n", "\n", "[]\n", "[99]"]))
    assert [each["step"] for each in found] == [1, 2, 3]
    assert [each["log_probability"] for each in found] == whole(run, [[60, 61], [], [99]])
    for line in ("60", "[60", '["a"]', "[[60]]"):
        with pytest.raises(DataError, match=r"line 1, .* is no time step of this run: a JSON list of whole numbers"):
            list(run.stream().follow([line]))


def test_all_or_nothing_is_read(run):
    stream = run.stream()
    before = stream.state
    with pytest.raises(DataError, match="is a list of whole numbers"):
        stream.read([[60], ["a"]])
    assert all(torch.equal(tensor, before[name]) for name, tensor in stream.state.items())
    rounded = run.stream(weights=torch.bfloat16)
    assert rounded.read(row(5, 8)) == pytest.approx(run.stream().read(row(5, 8)), abs=0.2)
