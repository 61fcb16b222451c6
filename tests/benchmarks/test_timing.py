"""Contenders take turns, and a ratio is taken within rounds."""

import time

import pytest

from elman.benchmarks import timing
from elman.benchmarks.timing import Budget, Timing, interleave, percentile, ratio


def test_contenders_take_turns():
    order = []
    works = {name: lambda name=name: order.append(name) for name in "abc"}
    timings = interleave(works, Budget(rounds=3))
    assert "".join(order[-9:]) == "abcabcabc"
    assert [len(found.rounds) for found in timings.values()] == [3, 3, 3]


def test_a_turn_of_short_calls_has_many(monkeypatch):
    monkeypatch.setattr(timing, "TURN_SECONDS", 0.001)
    found = interleave({"a": lambda: None}, Budget(rounds=2))["a"]
    assert 1 < len(found.rounds[0]) <= timing.MOST_CALLS


def test_a_turn_begins_when_no_thread_of_the_one_before_spins(monkeypatch):
    monkeypatch.setattr(timing, "PAUSE_SECONDS", 0.01)
    worked, pauses = iter([0.0, 0.01, 0.01, 0.018, 0.018, 0.0185]), []
    monkeypatch.setattr(time, "process_time", lambda: next(worked))
    monkeypatch.setattr(time, "sleep", pauses.append)
    timing.pause()
    assert pauses == [0.01] * 3


def test_seconds_give_at_least_three_rounds():
    budget = Budget(seconds=1.0)
    assert budget.allows(2, spent=5.0)
    assert not budget.allows(3, spent=1.0)
    assert budget.allows(50, spent=0.5)


def test_a_ratio_is_the_median_over_rounds():
    slow, fast = Timing(((2.0, 2.0), (30.0,), (6.0,))), Timing(((1.0, 1.0), (10.0,), (1.0,)))
    assert ratio(slow, fast) == pytest.approx(3.0)  # of 2, 3, 6; the medians' ratio would be 6


def test_a_summary_is_in_milliseconds():
    summary = Timing(tuple((call / 1000,) for call in range(1, 101))).summary()
    assert summary == {
        "median_ms": pytest.approx(50.5),
        "p10_ms": pytest.approx(10),
        "p90_ms": pytest.approx(90),
        "p99_of_calls_ms": pytest.approx(99),
        "rounds": 100,
        "calls": 100,
    }
    assert percentile([5.0], 99) == 5.0
