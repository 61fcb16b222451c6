"""Where segments begin anew in the middle of a row, only lags that can exist are spoken of."""

import math

import pytest
import torch
from tests.diagnosis.networks import last, linear, rectified
from torch import nn

import elman


def anew(steps, rows, *at):
    """A reset of all rows at some steps."""
    reset = torch.zeros(steps, rows, dtype=torch.bool)
    reset[list(at)] = True
    return reset


def test_no_lag_reaches_over_a_reset():
    layer, x = linear(0.6, 20)
    found = elman.diagnose(layer, {"input": x, "reset": anew(20, 4, 10)}, last)
    assert elman.diagnose(layer, x, last).findings[0].problem == "vanishing"
    assert found.findings == []
    assert (found.layers[0].steps, found.layers[0].stretch, found.layers[0].needed_lag) == (20, 10, 9)


@pytest.mark.parametrize(("at", "needed"), [((), 16), ((16,), 3), ((16, 18), 2), ((5, 12), 7)])
def test_the_lag_that_is_needed_ends_at_a_reset_also_where_segments_are_longer(at, needed):
    """The loss touches the steps 2 and 19 of 20."""
    layer, x = linear(0.6, 20)
    found = elman.diagnose(
        layer, {"input": x, "reset": anew(20, 4, *at)}, lambda output: output[0][[2, 19]].square().mean()
    )
    assert found.layers[0].needed_lag == needed


def test_what_vanishes_between_resets_is_told_by_the_lag_that_there_is():
    layer, x = linear(0.3, 40)
    (finding,) = elman.diagnose(layer, {"input": x, "reset": anew(40, 4, 20)}, last).findings
    assert finding.problem == "vanishing"
    assert "1e-10 of it arrives 19 steps before the loss" in finding.evidence


def test_growth_is_told_over_the_steps_between_resets():
    layer, x = rectified(1.5, 40)
    found = elman.diagnose(layer, {"input": x, "reset": anew(40, 4, 20)}, last).findings[0]
    assert "with every step back, 3,325 times over the 20 steps" in found.evidence
    assert elman.diagnose(layer, {"input": x, "reset": anew(40, 4, *range(5, 40, 5))}, last).findings == []


def test_a_layer_below_needs_no_lag_beyond_its_own_resets():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.lower, self.upper = elman.GRU(3, 4), elman.GRU(4, 4)

        def forward(self, x, reset):
            return self.upper(self.lower(x, reset=reset)[0])

    lower, upper = elman.diagnose(Two(), (torch.randn(20, 4, 3), anew(20, 4, 12)), last).layers
    assert (lower.needed_lag, upper.needed_lag) == (11, 19)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_rows_that_begin_anew_do_not_count_as_decay(bidirectional):
    """Of three rows two begin anew where the loss is; by lag there is the gradient of the third alone."""
    layer, x, reset = elman.RNN(3, 16, bidirectional=bidirectional), torch.randn(20, 3, 3), anew(20, 3)
    reset[1 if bidirectional else 19, :2] = True

    def loss(output):
        values = output[0].unflatten(-1, (-1, 16))
        return (values[0, :, 1] if bidirectional else values[-1, :, 0]).square().mean()

    found = elman.diagnose(layer, {"input": x, "reset": reset}, loss).layers[-1].gradient_norm_by_lag
    alone = elman.diagnose(layer, x[:, 2:], loss).layers[-1].gradient_norm_by_lag
    assert len(found) == len(alone) == 20
    assert found[1:] == pytest.approx([norm / math.sqrt(3) for norm in alone[1:]], rel=1e-4)


def test_the_horizon_is_beyond_what_was_measured():
    layer, x = linear(1.0, 20)
    found = elman.diagnose(layer, {"input": x, "reset": anew(20, 4, 8)}, last)
    assert "beyond 11 " in str(found)
    assert "beyond 11<" in found.to_html()
