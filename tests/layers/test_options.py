"""What each option means, and how weights begin."""

import pytest
import torch
from tests.tolerance import assert_close, assert_equal
from torch import nn

import elman

from .cases import BATCH, HIDDEN, INPUT, STEPS, made


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_torchs_layers_take_the_options_too(kind):
    name = {"RNN": "rnn"}.get(kind, kind.lower())
    torch.manual_seed(0)
    layer = getattr(elman, kind)(INPUT, HIDDEN, 2, layer_norm=True, zoneout=0.1)
    other = elman.Recurrent(name, INPUT, HIDDEN, 2, layer_norm=True, zoneout=0.1)
    other.load_state_dict(layer.state_dict())
    x = torch.randn(STEPS, BATCH, INPUT)
    assert_equal(layer.eval()(x)[0], other.eval()(x)[0])
    assert "layer_norm=True, zoneout=0.1" in repr(layer)


def test_a_residual_layer_adds_its_input():
    layer, x = made("gru", "plain", train=False)
    residual = elman.Recurrent("gru", INPUT, HIDDEN, 2, dtype=torch.float64, residual=True).eval()
    residual.load_state_dict(layer.state_dict())
    first = elman.Recurrent("gru", INPUT, HIDDEN, dtype=torch.float64)
    first.load_state_dict({key: value for key, value in layer.state_dict().items() if "l0" in key})
    assert_close(residual(x)[0], first(x)[0] + layer(x)[0])


def test_a_learnt_state_is_where_a_sequence_begins_and_receives_a_gradient():
    layer, x = made("lstm", "learnt state")
    state = tuple(
        torch.stack([getattr(layer, f"initial_{name}_l{k}") for k in range(2)])[:, None].expand(-1, BATCH, -1)
        for name in ("h", "c")
    )
    assert_equal(layer(x)[0], layer(x, state)[0])
    layer(x)[0].sum().backward()
    assert layer.initial_c_l1.grad.abs().sum() > 0


def test_dropped_weights_stay_whole_and_receive_gradients():
    layer, x = made("lstm", "weight dropout")
    before = layer.weight_hh_l0.clone()
    layer(x)[0].sum().backward()
    assert_equal(layer.weight_hh_l0, before)
    zero = (layer.weight_hh_l0.grad == 0).double().mean()
    assert 0.2 < zero < 0.6  # 0.4 of the weights took no part


def test_zoneout_keeps_units_and_in_evaluation_their_mean():
    layer = elman.Recurrent("rnn", INPUT, 64, zoneout=0.25)
    x = torch.randn(1, 400, INPUT)
    before = torch.randn(1, 400, 64)
    plain = elman.Recurrent("rnn", INPUT, 64)
    plain.load_state_dict(layer.state_dict())
    new, old = plain(x, before)[0][0], before[0]
    found = layer(x, before)[0][0]
    kept = (found == old).float().mean()
    assert abs(kept - 0.25) < 0.02
    assert_close(torch.where(found == old, old, new), found)
    assert_close(layer.eval()(x, before)[0][0], 0.25 * old + 0.75 * new)


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_zoneout_keeps_other_units_at_every_step(backend):
    layer = elman.Recurrent("rnn", INPUT, 64, zoneout=0.5)
    with elman.backend(backend):
        found, _ = layer(torch.randn(6, 200, INPUT))
    kept = found[1:] == found[:-1]
    assert abs(kept.float().mean() - 0.5) < 0.02
    assert abs((kept[1:] & kept[:-1]).float().mean() - 0.25) < 0.02


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_recurrent_dropout_drops_the_same_features_at_all_steps(backend):
    layer = elman.Recurrent("rnn", INPUT, 32, recurrent_dropout=0.5)
    x, state = torch.zeros(1, 200, INPUT), torch.ones(1, 200, 32)
    torch.manual_seed(0)
    with torch.no_grad():
        layer.weight_hh_l0.copy_(torch.eye(32) * 0.1)
        layer.bias_ih_l0.zero_()
        layer.bias_hh_l0.zero_()
        with elman.backend(backend):
            found = layer(x.expand(5, -1, -1), state)[0]
    passed = found[0] > 0
    assert abs(passed.float().mean() - 0.5) < 0.03
    assert_close(found[0][passed], torch.tensor(0.2).tanh().expand(int(passed.sum())))
    assert all(torch.equal(step > 0, passed) for step in found)


def test_locked_dropout_zeroes_the_same_features_at_all_steps():
    layer = elman.Recurrent("indrnn", 8, 64, 2, locked_dropout=0.5)
    with torch.no_grad():
        layer.weight_ih_l1.copy_(torch.eye(64))
        layer.bias_ih_l0.fill_(1)
        layer.bias_ih_l1.zero_()
        layer.u_l1.zero_()
        found, _ = layer(torch.zeros(5, 20, 8))
    assert abs((found[0] == 0).float().mean() - 0.5) < 0.05
    assert all(torch.equal(step == 0, found[0] == 0) for step in found)


INITS = {
    "keras": lambda layer: layer.bias_ih_l0[HIDDEN : 2 * HIDDEN].eq(1).all() and layer.bias_ih_l0.sum() == HIDDEN,
    "orthogonal": lambda layer: torch.allclose(
        layer.weight_hh_l0[:HIDDEN] @ layer.weight_hh_l0[:HIDDEN].T, torch.eye(HIDDEN), atol=1e-5
    ),
    "identity": lambda layer: torch.equal(layer.weight_hh_l0[HIDDEN : 2 * HIDDEN], torch.eye(HIDDEN)),
    "forget-bias": lambda layer: (layer.bias_ih_l0 + layer.bias_hh_l0)[HIDDEN : 2 * HIDDEN].eq(1).all(),
    "chrono:100": lambda layer: (
        layer.bias_ih_l0[HIDDEN : 2 * HIDDEN].exp().sub(50).abs().lt(50).all()
        and torch.equal(layer.bias_ih_l0[:HIDDEN], -layer.bias_ih_l0[HIDDEN : 2 * HIDDEN])
    ),
}


@pytest.mark.parametrize("init", INITS)
def test_weights_begin_as_named(init):
    for layer in (elman.LSTM(INPUT, HIDDEN, init=init), elman.Recurrent("lstm", INPUT, HIDDEN, init=init)):
        assert INITS[init](layer)


def test_input_weights_begin_as_keras_and_the_irnn_have_them():
    bound = (6 / (INPUT + 4 * HIDDEN)) ** 0.5  # Glorot and Bengio 2010, of the four gates' matrix as a whole
    glorot = elman.LSTM(INPUT, HIDDEN, init="keras").weight_ih_l0.abs().max()
    assert 0.9 * bound < glorot <= bound
    assert 0.0005 < elman.RNN(INPUT, HIDDEN, init="identity").weight_ih_l0.std() < 0.0015


def test_kerass_weights_are_for_layers_without_biases_too():
    weight = elman.LSTM(INPUT, HIDDEN, bias=False, init="keras").weight_hh_l0
    assert torch.allclose(weight.T @ weight, torch.eye(HIDDEN), atol=1e-5)


@pytest.mark.parametrize(("cell", "gate"), [("mingru", 0), ("mgu", 0), ("gru", 1)])
def test_a_gate_that_replaces_the_past_begins_nearly_shut_where_one_that_keeps_it_begins_open(cell, gate):
    layer = elman.Recurrent(cell, INPUT, HIDDEN, init="chrono:100")
    bias = layer.bias_ih_l0[gate * HIDDEN : (gate + 1) * HIDDEN]
    kept = bias if cell == "gru" else -bias
    assert kept.exp().sub(50).abs().lt(50).all()


def test_a_gate_without_a_recurrent_share_leaves_the_other_gates_biases_alone():
    class Partly(elman.Cell):
        gates = ("z", "n")
        recurrent_gates = ("n",)
        states = ("h",)
        keep_gate = "z"

        def step(self, projected, state, weights):
            z, n = projected.chunk(2, -1)
            return (torch.lerp((n + weights.recurrent(state[0])).tanh(), state[0], z.sigmoid()),)

    layer = elman.Recurrent(Partly, INPUT, HIDDEN, init="forget-bias")
    assert layer.bias_ih_l0[:HIDDEN].eq(1).all()
    assert layer.bias_hh_l0.ne(0).all()


def test_the_default_begins_as_torch_does():
    for options in ({}, {"num_layers": 2, "bidirectional": True, "proj_size": 2}):
        torch.manual_seed(0)
        expected = nn.LSTM(INPUT, HIDDEN, **options).state_dict()
        torch.manual_seed(0)
        found = elman.Recurrent("lstm", INPUT, HIDDEN, **options).state_dict()
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[key], expected[key]) for key in expected)
