"""Steps drawn at random, of every kind of operation in any order, equal the reference too."""

import random

import pytest
import torch
import torch.nn.functional as F
from tests.engine.program import cells, runs
from tests.tolerance import assert_close

from elman.cells import Cell

UNARY = (
    torch.tanh,
    torch.sigmoid,
    F.relu,
    F.softplus,
    torch.neg,
    torch.square,
    lambda v: 1 - v,
    lambda v: v * 0.7 + 0.2,
)
BINARY = (torch.add, torch.sub, torch.mul, torch.maximum, lambda a, b: a / (1.5 + b.square()), torch.minimum)
ROW = (
    lambda v: v.mean(-1, keepdim=True),
    lambda v: v.sum(-1, keepdim=True).tanh(),
    lambda v: v.var(-1, keepdim=True).add(0.5).rsqrt(),
)


class Drawn(Cell):
    """A step made of operations drawn by a seed; the same at each call."""

    gates = ("a", "b")
    states = ("h", "s")

    def __init__(self, seed):
        self.seed = seed

    def step(self, projected, state, weights):
        draw = random.Random(self.seed)
        size = state[0].shape[-1]
        values = [
            *(projected + weights.recurrent(state[0])).chunk(2, -1),
            *state,
            weights.bias_hh[:size] + state[1] * 0,
        ]
        rows = [state[0].mean(-1, keepdim=True)]
        for _ in range(draw.randint(3, 14)):
            kind, a, b = draw.random(), draw.choice(values), draw.choice(values)
            if kind < 0.3:
                values.append(draw.choice(UNARY)(a))
            elif kind < 0.65:
                values.append(draw.choice(BINARY)(a, b))
            elif kind < 0.75:
                rows.append(draw.choice(ROW)(a))
            elif kind < 0.88:
                values.append(draw.choice(BINARY[:3])(a, draw.choice(rows)))
            elif kind < 0.94:
                values.append(F.layer_norm(a + 0.1 * b, (size,), eps=0.1))
            else:
                values.append(F.linear(a.tanh(), weights.hh[:size], weights.bias_hh[size:]))
        return draw.choice(values[-3:]).tanh(), draw.choice(values[-4:]).tanh()


@pytest.mark.parametrize("seed", range(40))
def test_a_random_step_equals_the_reference(seed, monkeypatch):
    monkeypatch.setitem(cells.ALL, "Drawn", Drawn(seed))
    irregular = seed % 2 == 1
    run = runs.Run("Drawn", lengths=runs.LENGTHS if irregular else None, reset=irregular, reverse=irregular, seed=seed)
    emulator = run.emulator()
    assert_close(run.forward(emulator, keep=False), (run.output, run.final))
    assert_close(run.forward(emulator), (run.output, run.final))
    assert_close(run.backward(emulator), run.expected())
