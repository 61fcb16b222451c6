"""What a user's cell may do that no cell of Elman's does, `diagnose` follows."""

import math

import pytest
import torch

import elman


class StepBefore(elman.Cell):
    """Sees the input of the step before, which it keeps in a state that has nothing of the state before.

    h' = 0.9 * h + W x + V x_before
    """

    gates = ("x", "before")
    recurrent_gates = ()
    states = ("h", "v")

    def step(self, projected, state, weights):
        h, v = state
        x, before = projected.chunk(2, -1)
        return 0.9 * h + x + v, before


class Memoryless(StepBefore):
    """Nothing of the state before is seen at all."""

    def step(self, projected, state, weights):
        return projected.chunk(2, -1)


class Shift(elman.Cell):
    """h' = x + S h with S nilpotent: what was read is gone after as many steps as there are units."""

    gates, states, fixed = ("n",), ("h",), ("hh",)

    def initialize(self, weights):
        weights.hh.copy_(torch.diag(torch.ones(len(weights.hh) - 1), -1))

    def step(self, projected, state, weights):
        return (projected + weights.recurrent(state[0]),)


def test_a_memory_that_ends_has_no_exponent():
    torch.manual_seed(1)
    layer = elman.Recurrent(Shift, 3, 6)
    (found,) = elman.diagnose(layer, torch.randn(40, 5, 3), lambda output: output[0].square().mean()).layers
    assert found.lyapunov_exponent == -math.inf
    assert found.horizon == 6


@pytest.mark.parametrize(("cell", "rate"), [(StepBefore, 0.9), (Memoryless, 0)])
def test_states_may_be_made_of_the_input_alone(cell, rate):
    torch.manual_seed(1)
    layer = elman.Recurrent(cell, 3, 6)
    (found,) = elman.diagnose(layer, torch.randn(40, 5, 3), lambda output: output[0].square().mean()).layers
    assert found.lyapunov_exponent == pytest.approx(math.log(rate) if rate else -math.inf, abs=1e-3)
    assert found.decay_per_step == pytest.approx(rate, abs=1e-3)
