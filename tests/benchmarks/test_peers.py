"""Every peer that is installed gives torch.nn's answers, so that times compare like with like."""

import pytest
import torch

from elman.benchmarks import kink
from elman.benchmarks.answers import deviation
from elman.benchmarks.base import Shape
from elman.benchmarks.peers import PEERS
from elman.benchmarks.problem import LAYERS, Problem

ABLE = {"jax": ("forward", "training"), "onnxruntime": ("forward", "step")}
CASES = [
    pytest.param(
        PEERS[name],
        way,
        id=f"{name}-{way}",
        marks=pytest.mark.skipif(not PEERS[name].installed(), reason=f"{name} is not installed"),
    )
    for name, ways in ABLE.items()
    for way in ways
]


def answers(work, times=3):
    for _ in range(times):
        found = work.run()
    return work.read(found)


@pytest.mark.parametrize("cell", LAYERS)
@pytest.mark.parametrize(("peer", "way"), CASES)
def test_a_peer_agrees_with_torch(peer, way, cell):
    problem = Problem.make(cell, Shape(3, 1 if way == "step" else 9, 5, 6))
    with torch.set_grad_enabled(way == "training"):
        work, oracle = (getattr(one, way)(problem) for one in (peer, PEERS["torch"]))
        found, expected = answers(work), answers(oracle)
    assert found.keys() == expected.keys()
    assert deviation(found, expected, than="torch", who=peer.name, case=way) < 1e-5


@pytest.mark.parametrize("cell", LAYERS)
def test_training_is_compared_in_all_gradients(cell):
    names = answers(PEERS["torch"].training(Problem.make(cell, Shape(2, 3, 4, 5)))).keys()
    parameters = ("the input", "weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    assert names == {"the output", *(f"the gradient of {name}" for name in parameters)}


def test_a_problem_is_the_same_each_time_and_leaves_the_generator_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, other = (Problem.make("gru", Shape(2, 30, 4, 5), unequal=True) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one.x, other.x)
    assert torch.equal(one.lengths, other.lengths)
    assert all(torch.equal(one.weights[name], other.weights[name]) for name in one.weights)


def test_operations_are_those_of_the_matmuls():
    problem = Problem.make("gru", Shape(B=2, T=3, I=5, H=7))
    assert problem.operations(training=False) == 3 * 2 * (2 * 5 * 21 + 2 * 7 * 21)
    assert problem.operations(training=True) == 3 * problem.operations(training=False)


def test_no_unit_of_a_relu_network_stands_at_the_kink(monkeypatch):
    monkeypatch.setattr(kink, "MARGIN", 1e-2)  # so wide that rows must be drawn anew
    problem = Problem.make("rnn-relu", Shape(4, 6, 3, 5), bidirectional=True, unequal=True)
    w = problem.weights
    for b, length in enumerate(problem.lengths.tolist()):
        row = problem.x[:length, b]
        states, _ = problem.layer(row)
        for direction, end in enumerate(("l0", "l0_reverse")):
            mine = states[:, direction * 5 : direction * 5 + 5]
            before = torch.zeros(1, 5)
            shifted = torch.cat([before, mine[:-1]]) if direction == 0 else torch.cat([mine[1:], before])
            sums = row @ w[f"weight_ih_{end}"].T + shifted @ w[f"weight_hh_{end}"].T
            sums += w[f"bias_ih_{end}"] + w[f"bias_hh_{end}"]
            assert sums.abs().min() > 0.99e-2
