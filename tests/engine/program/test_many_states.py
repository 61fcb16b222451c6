"""A step of many states, or of many operations, is compiled in time that goes up with their number."""

import sys
from dataclasses import dataclass

import pytest
import torch

from elman.cells import Cell
from elman.engine.program import compile_cell


@dataclass(frozen=True)
class Memory(Cell):
    """A row of values for each key; what is written replaces what lay there."""

    keys: int

    gates = ("v",)
    recurrent_gates = ()
    numbers = ("k", "a")

    @property
    def states(self):
        return ("h", *(f"S{n}" for n in range(self.keys)))

    @property
    def parameters(self):
        return dict.fromkeys(self.numbers, (self.keys, "I"))

    def step(self, projected, state, weights):
        K = self.keys
        v, k, a = torch.split(projected, [projected.shape[-1] - 2 * K, K, K], -1)
        k, a = k.split(1, -1), a.split(1, -1)
        S = [a[n] * state[1 + n] for n in range(K)]
        new = torch.sigmoid(v - sum(k[n] * S[n] for n in range(K)))
        S = [S[n] + k[n] * new for n in range(K)]
        return sum(k[n] * S[n] for n in range(K)), *S


def compiled(keys, *, given):
    cell = Memory(keys)
    shapes = cell.shapes(0 if given else 3, 4, bias=False)
    weights = cell.bundle(
        None if name not in shapes or shapes[name] is None else torch.empty(shapes[name]) for name in cell.fields
    )
    numbers = [f"{name} {n}" for name in cell.numbers for n in range(keys)]
    return compile_cell(cell, weights, given=4, numbers=numbers) if given else compile_cell(cell, weights)


def calls(function):
    """How many functions are called in it, which tells work without a clock."""
    count = 0

    def see(_frame, event, _argument):
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(see)
    try:
        function()
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("given", [True, False], ids=["given gates", "a layer"])
def test_twice_the_states_take_twice_the_work(given):
    assert calls(lambda: compiled(64, given=given)) < 2.3 * calls(lambda: compiled(32, given=given))


def test_a_sum_may_have_more_terms_than_python_has_frames():
    terms = sys.getrecursionlimit() + 50
    assert compiled(terms, given=True).inference.operations > 4 * terms
