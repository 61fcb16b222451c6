"""The cells against torch's own, and what their contract promises to the engine."""

import pytest
import torch
from tests.tolerance import assert_close
from torch import nn
from torch.fx.experimental.proxy_tensor import make_fx

from elman.cells import CELLS, Weights, find
from elman.cells.elman import Elman
from elman.cells.gru import GRU
from elman.cells.lstm import LSTM
from elman.errors import UsageError
from elman.layers import Recurrent

TORCH_CELL = {
    "rnn": nn.RNNCell,
    "rnn-relu": lambda *sizes, **options: nn.RNNCell(*sizes, nonlinearity="relu", **options),
    "gru": nn.GRUCell,
    "lstm": nn.LSTMCell,
}


def weights_of(module):
    return Weights(module.weight_ih, module.weight_hh, module.bias_ih, module.bias_hh)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", TORCH_CELL)
def test_a_step_is_that_of_torch(name, bias):
    cell, module = CELLS[name], TORCH_CELL[name](3, 5, bias=bias, dtype=torch.float64)
    state = tuple(torch.randn(4, 5, dtype=torch.float64) for _ in cell.states)
    rows = torch.randn(4, 3, dtype=torch.float64)
    expected = module(rows, state if len(state) > 1 else state[0])
    weights = weights_of(module)
    actual = cell.step(weights.project(rows), state, weights)
    assert_close(actual, expected if len(state) > 1 else (expected,))


def test_the_projection_is_that_of_torch():
    module = nn.LSTM(3, 5, proj_size=2, dtype=torch.float64)
    weights = Weights(*module._flat_weights)
    state = (torch.randn(4, 2, dtype=torch.float64), torch.randn(4, 5, dtype=torch.float64))
    rows = torch.randn(4, 3, dtype=torch.float64)
    _, expected = module(rows[None], tuple(tensor[None] for tensor in state))
    actual = CELLS["lstm"].step(weights.project(rows), state, weights)
    assert_close([tensor[None] for tensor in actual], expected)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("layer", "name", "projection"), [(nn.GRU, "gru", 0), (nn.LSTM, "lstm", 0), (nn.LSTM, "lstm", 2)]
)
def test_parameters_are_counted_as_torch_has_them(layer, name, projection, bias):
    module = layer(3, 5, bias=bias, **({"proj_size": projection} if projection else {}))
    expected = sum(parameter.numel() for parameter in module.parameters())
    assert CELLS[name].parameter_count(3, 5, bias=bias, projection=projection) == expected


def test_state_sizes_follow_the_projection():
    assert CELLS["lstm"].state_sizes(5) == (5, 5)
    assert CELLS["lstm"].state_sizes(5, 2) == (2, 5)
    assert CELLS["gru"].state_sizes(5) == (5,)


def drawn(cell, batch=4, inputs=3, hidden=5):
    """Random weights, input and a state that is positive, as a normaliser is."""
    shapes = cell.shapes(inputs, hidden).values()
    weights = cell.bundle([None if s is None else torch.randn(s, dtype=torch.float64) / 2 for s in shapes])
    state = tuple(torch.rand(batch, size, dtype=torch.float64) + 0.1 for size in cell.state_sizes(hidden))
    return weights, torch.randn(batch, inputs, dtype=torch.float64), state


def step(cell, weights, rows, state):
    return cell.step(cell.project(rows, weights), state, cell.derive(weights))


def without(weights, *names):
    """Weights some of which are zero."""
    return weights._replace(**{name: torch.zeros_like(getattr(weights, name)) for name in names})


def test_peepholes_of_zero_leave_an_lstm():
    cell = CELLS["peephole-lstm"]
    weights, rows, state = drawn(cell)
    plain = without(weights, *cell.parameters)
    assert_close(step(cell, plain, rows, state), step(CELLS["lstm"], Weights(*weights[:5]), rows, state))
    h, c = step(cell, weights, rows, state)
    gates = (rows @ weights.ih.T + weights.bias_ih + state[0] @ weights.hh.T + weights.bias_hh).chunk(4, -1)
    before = [g + p * state[1] for g, p in zip(gates, (weights.peephole_i, weights.peephole_f), strict=False)]
    assert_close(c, before[1].sigmoid() * state[1] + before[0].sigmoid() * gates[2].tanh())
    assert_close(h, (gates[3] + weights.peephole_o * c).sigmoid() * c.tanh())


def test_coupled_gates_are_those_of_an_lstm_that_writes_where_it_forgets():
    weights, rows, state = drawn(CELLS["coupled-lstm"])

    def with_input_gate(tensor):
        return torch.cat([-tensor[:5], tensor])

    lstm = Weights(*(with_input_gate(tensor) for tensor in weights[:4]))
    assert_close(step(CELLS["coupled-lstm"], weights, rows, state), step(CELLS["lstm"], lstm, rows, state))


def test_where_the_reset_gate_is_applied_matters_only_if_it_is_not_open():
    weights, rows, state = drawn(CELLS["gru"])
    before, after = CELLS["gru-reset-before"], CELLS["gru"]
    assert (step(before, weights, rows, state)[0] - step(after, weights, rows, state)[0]).abs().max() > 1e-3
    weights.bias_ih[:5] = 40
    assert_close(step(before, weights, rows, state), step(after, weights, rows, state))


def test_the_reset_gate_multiplies_the_state_before_the_matmul():
    weights, rows, state = drawn(CELLS["gru-reset-before"])
    (h,) = state
    x = (rows @ weights.ih.T + weights.bias_ih).chunk(3, -1)
    hh, bias = weights.hh.chunk(3), weights.bias_hh.chunk(3)
    r, z = (torch.sigmoid(x[k] + h @ hh[k].T + bias[k]) for k in (0, 1))
    n = torch.tanh(x[2] + (r * h) @ hh[2].T + bias[2])
    assert_close(step(CELLS["gru-reset-before"], weights, rows, state), ((1 - z) * n + z * h,))


def test_one_gate_of_the_minimal_unit_does_what_both_of_a_gru_do():
    weights, rows, state = drawn(CELLS["mgu"])

    def three(tensor):
        f, n = tensor.chunk(2)
        return torch.cat([f, -f, n])

    gru = CELLS["gru-reset-before"].bundle([*(three(tensor) for tensor in weights[:4]), None])
    assert_close(step(CELLS["mgu"], weights, rows, state), step(CELLS["gru-reset-before"], gru, rows, state))


def test_units_of_an_independent_network_see_only_themselves():
    weights, rows, state = drawn(CELLS["indrnn"])
    elman = Weights(weights.ih, torch.diag(weights.u), weights.bias_ih, torch.zeros(5, dtype=torch.float64))
    assert_close(step(CELLS["indrnn"], weights, rows, state), step(CELLS["rnn-relu"], elman, rows, state))


def test_the_minimal_units_mix_past_and_candidate():
    for name, kept in (
        ("mingru", lambda z, _: 1 - z.sigmoid()),
        ("minlstm", lambda f, i: f.sigmoid() / (f.sigmoid() + i.sigmoid())),
    ):
        weights, rows, state = drawn(CELLS[name])
        parts = (rows @ weights.ih.T + weights.bias_ih).chunk(len(CELLS[name].gates), -1)
        share = kept(parts[0], parts[1])
        assert_close(step(CELLS[name], weights, rows, state), (share * state[0] + (1 - share) * parts[-1],))


def test_the_simple_unit_shows_memory_and_input():
    weights, rows, state = drawn(CELLS["sru"])
    new, f, r, x = (rows @ weights.ih.T + weights.bias_ih).chunk(4, -1)
    f, r = (f + weights.v_f * state[1]).sigmoid(), (r + weights.v_r * state[1]).sigmoid()
    c = f * state[1] + (1 - f) * new
    assert_close(step(CELLS["sru"], weights, rows, state), (r * c + (1 - r) * x, c))


def test_the_linear_unit_computes_with_complex_numbers():
    weights, rows, state = drawn(CELLS["lru"])
    x_re, x_im, skipped = (rows @ weights.ih.T + weights.bias_ih).chunk(3, -1)
    turn = torch.exp(torch.complex(-weights.nu.exp(), weights.theta))
    s = turn * torch.complex(state[1], state[2]) + weights.log_gamma.exp() * torch.complex(x_re, x_im)
    shown = (s @ torch.complex(weights.C_re, weights.C_im).T).real + skipped
    assert_close(step(CELLS["lru"], weights, rows, state), (shown, s.real, s.imag))


def test_the_real_gated_unit_keeps_the_size_of_its_state():
    weights, rows, state = drawn(CELLS["rg-lru"])
    r, i, n = (rows @ weights.ih.T + weights.bias_ih).chunk(3, -1)
    a = torch.sigmoid(-weights.decay) ** (8 * r.sigmoid())
    assert_close(step(CELLS["rg-lru"], weights, rows, state), (a * state[0] + (1 - a * a).sqrt() * i.sigmoid() * n,))


def test_states_of_the_selective_state_space_are_written_and_read_by_the_input():
    weights, rows, state = drawn(CELLS["s6"])
    d, u = (rows @ weights.ih.T + weights.bias_ih).chunk(2, -1)
    d, rate = torch.log1p(d.exp()), -weights.a.exp().view(16, 5)
    write, read = rows @ weights.B.T, rows @ weights.C.T
    s = torch.stack(state[1:])
    s = (d * rate[:, None]).exp() * s + d * u * write.T[:, :, None]
    shown = torch.einsum("bn,nbh->bh", read, s) + weights.D * u
    assert_close(step(CELLS["s6"], weights, rows, state), (shown, *s))


def test_the_selective_state_space_begins_as_mamba_does():
    layer = Recurrent("s6", 4, 6)
    steps = torch.nn.functional.softplus(layer.bias_ih_l0[:6])
    assert ((steps > 0.001) & (steps < 0.1)).all()
    assert_close(layer.a_l0.view(16, 6)[:, 0].exp(), torch.arange(1.0, 17))
    assert_close(layer.D_l0, torch.ones(6))


def test_exponential_gates_are_stabilised_without_changing_what_is_shown():
    """Against the same without a stabiliser, over a few steps from nothing."""
    weights, _, state = drawn(CELLS["slstm"])
    state = tuple(torch.zeros_like(tensor) for tensor in state)
    h, c, n = state[:3]
    for _ in range(4):
        rows = torch.randn(4, 3, dtype=torch.float64)
        gates = rows @ weights.ih.T + weights.bias_ih + h @ weights.hh.T + weights.bias_hh
        z, i, f, o = gates.chunk(4, -1)
        c, n = f.sigmoid() * c + i.exp() * z.tanh(), f.sigmoid() * n + i.exp()
        h = o.sigmoid() * c / n
        state = step(CELLS["slstm"], weights, rows, state)
        assert_close(state[0], h)
    weights.bias_ih[5:10] = 2000.0  # whose exponential no number can hold
    assert step(CELLS["slstm"], weights, rows, state)[0].isfinite().all()


@pytest.mark.parametrize("name", CELLS)
def test_a_step_uses_only_operations_that_an_engine_can_run(name):
    """No loop, no branch on values, no indexing: matmuls with the weights, slicing into gates, pointwise operations."""
    cell = CELLS[name]
    weights, rows, state = drawn(cell)
    projected = cell.project(rows, weights)
    graph = make_fx(lambda projected, *state: cell.step(projected, state, weights))(projected, *state).graph
    called = {str(node.target).split(".")[1] for node in graph.nodes if str(node.target).startswith("aten.")}
    matmuls, cuts = {"t", "addmm", "mm"}, {"split", "split_with_sizes", "slice"}
    pointwise = {
        "add",
        "sub",
        "mul",
        "div",
        "rsub",
        "sigmoid",
        "tanh",
        "relu",
        "exp",
        "sqrt",
        "pow",
        "log_sigmoid_forward",
        "softplus",
    }
    assert called <= matmuls | cuts | pointwise | {"maximum", "clamp", "where", "gt", "detach"}


@pytest.mark.parametrize("name", CELLS)
def test_initial_weights_are_finite_and_a_long_sequence_stays_so(name):
    layer = Recurrent(name, 3, 16)
    assert all(parameter.isfinite().all() for parameter in layer.parameters())
    output, _ = layer(torch.randn(300, 2, 3))
    assert output.isfinite().all()
    assert output.abs().max() < 1e3


@pytest.mark.parametrize("name", CELLS)
def test_every_cell_states_its_equations_and_source(name):
    cell = CELLS[name]
    assert cell.name == name
    assert "h' = " in cell.equations
    assert "\n    " not in cell.equations
    assert "Source" in type(cell).__doc__


def test_cells_are_values():
    assert Elman("tanh") == CELLS["rnn"] != Elman("relu")
    assert {GRU(): "a", LSTM(): "b"}[CELLS["lstm"]] == "b"

    class Own(LSTM):
        """A user's variant is another cell."""

    assert Own() != LSTM()
    assert Own().name == "own"


def test_an_unknown_name_gets_the_nearest_known_one():
    assert find("gru") is CELLS["gru"]
    with pytest.raises(UsageError, match=r"unknown cell 'LTSM'; did you mean 'lstm'\? there are: rnn, rnn-relu"):
        find("LTSM")
    with pytest.raises(UsageError, match="unknown cell 'transformer'; there are: rnn"):
        find("transformer")
    with pytest.raises(UsageError, match="unknown cell 5; there are: rnn"):
        find(5)


def test_an_unknown_nonlinearity_is_refused():
    with pytest.raises(UsageError, match="unknown nonlinearity 'sigmoid'"):
        Elman("sigmoid")
