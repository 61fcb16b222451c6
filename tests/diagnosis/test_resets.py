"""Where segments begin anew in the middle of a row, only lags that can exist are spoken of."""

import math

import pytest
import torch
from tests.diagnosis.networks import compare, every, last, linear, rectified
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


class ByHand(nn.Module):
    """Takes a layer or a cell through time as agents do, with the state times a mask."""

    def __init__(self, layer, mask=lambda h, done: h * (1.0 - done.view(-1, 1))):
        super().__init__()
        self.layer, self.mask = layer, mask

    def forward(self, x, reset):
        state, outputs = None, []
        for step, done in zip(x, reset.float(), strict=True):
            if isinstance(state, tuple):
                state = tuple(self.mask(each, done) for each in state)
            elif state is not None:
                state = self.mask(state, done)
            if isinstance(self.layer, nn.RNNBase):
                output, state = self.layer(step[None], state)
                outputs.append(output[0])
            else:
                state = self.layer(step, state)
                outputs.append(state[0] if isinstance(state, tuple) else state)
        return (torch.stack(outputs),)


def cell_like(layer):
    cell = {nn.LSTM: nn.LSTMCell, nn.GRU: nn.GRUCell}[type(layer)](layer.input_size, layer.hidden_size)
    cell.load_state_dict({name.removesuffix("_l0"): tensor for name, tensor in layer.state_dict().items()})
    return cell


@pytest.mark.parametrize("loss", [every, last])
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_rows_of_the_state_that_the_module_sets_to_zero_begin_anew(kind, loss):
    layer, x, reset = kind(3, 8), torch.randn(20, 4, 3), anew(20, 4)
    reset[5, 1] = reset[12, 1] = reset[17, 3] = True
    modules = [elman.convert(kind(3, 8)), ByHand(layer), ByHand(cell_like(layer))]
    modules[0].load_state_dict(layer.state_dict())
    whole, *by_hand = [
        elman.diagnose(each, (x, None, None, reset) if each is modules[0] else (x, reset), loss) for each in modules
    ]
    assert len(whole.layers) == 1
    for each in by_hand:
        compare([one.gradient_norm for one in each.layers], [one.gradient_norm for one in whole.layers])
        compare([one.gradient_norm_by_lag for one in each.layers], [one.gradient_norm_by_lag for one in whole.layers])
        assert each.layers[0].needed_lag == whole.layers[0].needed_lag


def test_a_state_that_comes_back_through_a_view_is_the_same_state():
    """Else all that comes back from later calls would count as the loss at each."""
    layer, x = nn.GRU(3, 8), torch.randn(20, 4, 3)
    by_view = ByHand(layer, lambda h, _: h.transpose(0, 1).transpose(0, 1))
    found = elman.diagnose(by_view, (x, anew(20, 4)), last).layers[0]
    compare(found.gradient_norm_by_lag, elman.diagnose(layer, x, last).layers[0].gradient_norm_by_lag)
    assert found.needed_lag == 19


@pytest.mark.parametrize("kind", [nn.GRU, nn.GRUCell])
def test_states_that_are_changed_between_the_steps_are_told(kind):
    module = ByHand(kind(3, 8), lambda h, _: 0.9 * h)
    with pytest.raises(elman.UsageError, match="layer was called 19 times with states that it had not returned before"):
        elman.diagnose(module, (torch.randn(20, 4, 3), anew(20, 4)), last)
