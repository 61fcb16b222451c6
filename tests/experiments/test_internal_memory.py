"""Internal memory: what each predictor can see, and what is said of it."""

import math

import pytest
import torch

from elman.diagnosis.hello.example import FLOOR
from elman.experiments import internal_memory
from elman.experiments.internal_memory import GRU, LAGS, LONG, NONE, PREDICTORS, SHORT, TANH, Window
from elman.experiments.problems import SYMBOLS, recall


def test_recall_asks_for_the_first_symbol_and_never_shows_it_again():
    found = recall(5, 32, torch.Generator().manual_seed(0))
    assert found.inputs.shape == (6, 32, 2 * SYMBOLS)
    assert (found.inputs.sum(-1) == 1).all()
    assert torch.equal(found.inputs[0].argmax(-1), found.targets)
    assert not found.inputs[1:, :, :SYMBOLS].any()
    assert set(found.targets.tolist()) == set(range(SYMBOLS))


@pytest.mark.parametrize("steps", [1, 3])
def test_a_window_sees_its_last_steps_and_nothing_before(steps):
    inputs = torch.randn(7, 2, 4, requires_grad=True)
    scores = Window(steps, 4, 3)(inputs)
    assert scores.shape == (7, 2, 3)
    (gradient,) = torch.autograd.grad(scores[4].sum(), inputs)
    assert gradient.abs().sum((1, 2)).bool().tolist() == [5 - steps <= t <= 4 for t in range(7)]
    assert Window(steps, 4, 3)(inputs[:1]).shape == (1, 2, 3)


def test_without_memory_hello_stays_above_its_floor_and_with_any_memory_it_does_not(monkeypatch):
    monkeypatch.setattr(internal_memory, "UPDATES", 200)
    lowest = {name: internal_memory._hello(PREDICTORS[name], 0) for name in (NONE, SHORT, TANH)}
    assert FLOOR < lowest[NONE] < FLOOR + 0.3
    assert max(lowest[SHORT], lowest[TANH]) < 0.2


@pytest.mark.parametrize(("name", "solved"), [(NONE, False), (SHORT, True), (GRU, True)])
def test_recall_over_a_few_steps(name, solved, monkeypatch):
    monkeypatch.setattr(internal_memory, "UPDATES", 200)
    found = internal_memory._recalled(PREDICTORS[name], 4, 0)
    assert found.solved == solved
    assert solved or found.error > 0.9 * math.log(SYMBOLS)


def test_the_verdict_follows_from_what_was_found():
    low = {NONE: [1.4, 1.39], SHORT: [0.1], LONG: [0.1], TANH: [0.1], GRU: [0.1]}
    all_lags = set(LAGS)
    solved = {NONE: set(), SHORT: {1, 4}, LONG: all_lags, TANH: {1, 4, 16}, GRU: all_lags}
    verdict, reason = internal_memory._judged(low, solved)
    assert verdict == "holds in part"
    assert "overstated" in reason
    assert "tanh does not learn lag 64" in reason
    assert "tanh" not in internal_memory._judged(low, solved | {TANH: all_lags})[1]
    assert internal_memory._judged(low, solved | {LONG: {1}})[0] == "holds"
    assert internal_memory._judged(low | {NONE: [0.5]}, solved)[0] == "does not hold"
    assert "at none" in internal_memory._measured(low, solved)
