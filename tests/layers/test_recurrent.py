"""Layers of any cell with any option: what they promise, for every cell and option, whichever backend runs them."""

import copy
import io

import pytest
import torch
from tests.tolerance import assert_close, assert_equal
from torch import nn
from torch.func import functional_call, grad, vmap
from torch.nn.utils import parametrizations
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import elman
from elman.cells import CELLS, Cell

STEPS, BATCH, INPUT, HIDDEN = 6, 3, 4, 5
OPTIONS = {
    "plain": {},
    "layer norm": {"layer_norm": True},
    "recurrent dropout": {"recurrent_dropout": 0.3},
    "zoneout": {"zoneout": 0.3},
    "weight dropout": {"weight_dropout": 0.4},
    "between layers": {"dropout": 0.2, "locked_dropout": 0.3, "residual": True},
    "learnt state": {"learn_state": True},
    "all": {
        "layer_norm": True,
        "recurrent_dropout": 0.2,
        "zoneout": 0.2,
        "weight_dropout": 0.2,
        "dropout": 0.1,
        "locked_dropout": 0.2,
        "residual": True,
        "learn_state": True,
    },
}
NEEDS_MATMUL = {"recurrent_dropout", "weight_dropout"}
CASES = [
    (name, option)
    for name, cell in CELLS.items()
    for option, given in OPTIONS.items()
    if cell.recurrent_gates or not NEEDS_MATMUL & given.keys()
]
FEW = [(name, option) for name, option in CASES if name in {"lstm", "gru-reset-before", "lru"}]
LENGTHS = [6, 0, 4]
RESET = torch.rand(STEPS, BATCH, generator=torch.Generator().manual_seed(0)) < 0.3


def made(name, option, *, train=True, **more):
    """A layer in float64, and an input; its learnt state, if it has one, is not zero."""
    torch.manual_seed(0)
    layer = elman.Recurrent(name, INPUT, HIDDEN, 2, dtype=torch.float64, **OPTIONS[option], **more)
    for key, parameter in layer.named_parameters():
        if key.startswith("initial"):
            nn.init.normal_(parameter)
    return layer.train(train), torch.randn(STEPS, BATCH, INPUT, dtype=torch.float64)


def flat(hidden):
    return list(hidden) if isinstance(hidden, tuple) else [hidden]


def results(layer, x, backend, **extras):
    """Output, final state and gradients, under one seed."""
    torch.manual_seed(3)
    x = x.clone().requires_grad_()
    with elman.backend(backend):
        output, hidden = layer(x, **extras)
    weights = torch.linspace(-1, 1, output.numel(), dtype=x.dtype).view_as(output)
    loss = (output * weights).sum() + sum(tensor.sin().sum() for tensor in flat(hidden))
    gradients = torch.autograd.grad(loss, [x, *layer.parameters()], materialize_grads=True)
    return [output.detach(), *(tensor.detach() for tensor in flat(hidden)), *gradients]


@pytest.mark.native
@pytest.mark.parametrize(("name", "option"), CASES)
def test_the_native_engine_runs_it_and_equals_the_reference(name, option):
    layer, x = made(name, option, bidirectional=True)
    assert elman.explain(layer, x).refusals["native"] is None
    extents = [{}, {"lengths": LENGTHS, "reset": RESET}]
    for extras in extents:
        assert_close(results(layer, x, "native", **extras), results(layer, x, "reference", **extras))
    layer.eval()
    assert_close(results(layer, x, "native", **extents[1]), results(layer, x, "reference", **extents[1]))


@pytest.mark.parametrize(("name", "option"), CASES)
def test_evaluation_is_exact_and_split_anywhere_it_is_the_whole(name, option):
    layer, x = made(name, option, train=False)
    output, hidden = layer(x)
    assert_equal(layer(x)[0], output)
    first, carried = layer(x[:2])
    second, final = layer(x[2:], carried)
    assert_close([torch.cat([first, second]), *flat(final)], [output, *flat(hidden)])


@pytest.mark.parametrize(("name", "option"), CASES)
def test_a_row_does_not_depend_on_its_neighbours_nor_on_padding(name, option):
    layer, x = made(name, option, train=False, bidirectional=True)
    dirty = x.clone()
    dirty[4:, 2], dirty[:, 0] = torch.nan, torch.randn(STEPS, INPUT, dtype=x.dtype)
    output, _ = layer(x, lengths=LENGTHS)
    assert_equal(layer(dirty, lengths=LENGTHS)[0][:, 1:], output[:, 1:])
    assert_close(layer(x[:4, 2:])[0][:, 0], output[:4, 2])


@pytest.mark.parametrize(("name", "option"), CASES)
def test_a_stepper_takes_the_layers_steps_as_in_evaluation(name, option):
    layer, x = made(name, option)
    stepper = layer.stepper(BATCH)
    outputs = torch.stack([stepper(row).clone() for row in x])
    output, hidden = layer.eval()(x)
    assert_close([outputs, *flat(stepper.state)], [output, *flat(hidden)])
    stepper.state = hidden
    assert_close(flat(stepper.state), flat(hidden))
    stepper.reset()
    assert_close(stepper(x[0]), output[0])


@pytest.mark.parametrize(("name", "option"), FEW)
def test_what_is_random_comes_of_the_seed(name, option):
    layer, x = made(name, option)
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(layer(x)[0])
    assert_equal(found[0], found[1])
    drawn = {"dropout", "locked_dropout", "zoneout", *NEEDS_MATMUL} & OPTIONS[option].keys()
    assert torch.equal(found[0], found[2]) == (not drawn)


@pytest.mark.parametrize(("name", "option"), FEW)
def test_copies_files_and_state_dicts_hold_all_of_it(name, option):
    layer, x = made(name, option, train=False)
    output, _ = layer(x)
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    other = elman.Recurrent(name, INPUT, HIDDEN, 2, dtype=torch.float64, **OPTIONS[option]).eval()
    other.load_state_dict(layer.state_dict())
    for copied in (copy.deepcopy(layer), torch.load(file, weights_only=False), other):
        assert_equal(copied(x)[0], output)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("name", "option"), [(name, "all") for name in ("lstm", "gru-reset-before")] + [("lru", "zoneout")]
)
def test_it_compiles_into_one_graph(name, option, training):
    layer, x = made(name, option, train=training)
    torch.compiler.reset()
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    output, _ = compiled(x)
    output.sum().backward()
    assert all(parameter.grad is not None for parameter in layer.parameters())
    if not training:
        assert_close(output, layer(x)[0])


@pytest.mark.parametrize("name", CELLS)
def test_gradients_of_single_rows_come_of_vmap(name):
    layer, x = made(name, "plain")
    table = {key: tensor.detach() for key, tensor in layer.named_parameters()}

    def loss(table, row):
        return functional_call(layer, table, (row,))[0].square().sum()

    rows = x.transpose(0, 1)
    found = vmap(grad(loss), (None, 0))(table, rows)
    for key in table:
        assert_close(found[key], torch.stack([grad(loss)(table, row)[key] for row in rows]))


@pytest.mark.parametrize("name", CELLS)
def test_parametrizations_and_weight_norm_are_seen(name):
    layer, x = made(name, "layer norm", train=False)
    before = layer(x)[0]
    parametrizations.weight_norm(layer, "weight_ih_l0")
    assert_close(layer(x)[0], before)
    layer.parametrizations.weight_ih_l0.original0.data.mul_(3)
    nn.init.uniform_(layer.parametrizations.weight_ih_l0.original1)
    assert (layer(x)[0] - before).abs().max() > 1e-6
    layer(x)[0].sum().backward()
    assert layer.parametrizations.weight_ih_l0.original1.grad is not None


@pytest.mark.parametrize("option", ["plain", "all"])
@pytest.mark.parametrize("name", ["lstm", "slstm", "sru"])
def test_packed_sequences_go_in_and_come_out(name, option):
    if option == "all" and name == "sru":
        option = "zoneout"
    layer, x = made(name, option, train=False, bidirectional=True)
    packed = pack_padded_sequence(x, [4, 6, 1], enforce_sorted=False)
    output, hidden = layer(packed)
    expected, final = layer(x, lengths=[4, 6, 1])
    assert_close([pad_packed_sequence(output)[0], *flat(hidden)], [expected, *flat(final)])
    layer.train()(packed)[0].data.sum().backward()


@pytest.mark.parametrize("name", CELLS)
def test_all_states_of_all_steps_are_shown(name):
    layer, x = made(name, "plain", bidirectional=True)
    _, hidden, states = layer(x, states=True)
    assert tuple(states) == CELLS[name].states
    for tensor, final in zip(states.values(), flat(hidden), strict=True):
        assert tensor.shape == (4, STEPS, BATCH, HIDDEN)
        assert_equal(tensor[0::2, -1], final[0::2])
        assert_equal(tensor[1::2, 0], final[1::2])


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


def test_every_layer_may_have_its_own_size():
    layer = elman.Recurrent("lstm", INPUT, (7, 5, 3), bidirectional=True, batch_first=True)
    x = torch.randn(BATCH, STEPS, INPUT)
    output, hidden = layer(x)
    assert output.shape == (BATCH, STEPS, 6)
    assert [tuple(h.shape) for h, _ in hidden] == [(2, BATCH, 7), (2, BATCH, 5), (2, BATCH, 3)]
    assert_equal(layer(x, [(h * 0, c * 0) for h, c in hidden])[0], output)
    one = elman.Recurrent("gru", INPUT, (7, 5))
    stepper = one.stepper(2)
    stepper(torch.randn(2, INPUT))
    assert [tuple(h.shape) for h in stepper.state] == [(1, 2, 7), (1, 2, 5)]
    stepper.state = [h * 0 for h in stepper.state]
    assert not torch.cat([h.flatten() for h in stepper.state]).any()


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


def test_recurrent_dropout_drops_the_same_features_at_all_steps():
    layer = elman.Recurrent("rnn", INPUT, 32, recurrent_dropout=0.5)
    x, state = torch.zeros(1, 200, INPUT), torch.ones(1, 200, 32)
    torch.manual_seed(0)
    with torch.no_grad():
        layer.weight_hh_l0.copy_(torch.eye(32) * 0.1)
        layer.bias_ih_l0.zero_()
        layer.bias_hh_l0.zero_()
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


@pytest.mark.parametrize(("cell", "gate"), [("mingru", 0), ("mgu", 0), ("gru", 1)])
def test_a_gate_that_replaces_the_past_begins_nearly_shut_where_one_that_keeps_it_begins_open(cell, gate):
    layer = elman.Recurrent(cell, INPUT, HIDDEN, init="chrono:100")
    bias = layer.bias_ih_l0[gate * HIDDEN : (gate + 1) * HIDDEN]
    kept = bias if cell == "gru" else -bias
    assert kept.exp().sub(50).abs().lt(50).all()


def test_the_default_begins_as_torch_does():
    for options in ({}, {"num_layers": 2, "bidirectional": True, "proj_size": 2}):
        torch.manual_seed(0)
        expected = nn.LSTM(INPUT, HIDDEN, **options).state_dict()
        torch.manual_seed(0)
        found = elman.Recurrent("lstm", INPUT, HIDDEN, **options).state_dict()
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[key], expected[key]) for key in expected)


class Doubled(Cell):
    """h' = tanh(W x + 2 h)"""

    gates = ("h",)
    states = ("h",)
    recurrent_gates = ()

    def step(self, projected, state, weights):
        return ((projected + 2 * state[0]).tanh(),)


class Unfinished(Cell):
    """Has no step."""

    gates = ("h",)
    states = ("h",)


def test_a_users_cell_goes_by_class_or_object():
    x = torch.randn(STEPS, BATCH, INPUT)
    for cell in (Doubled, Doubled()):
        layer = elman.Recurrent(cell, INPUT, HIDDEN)
        assert repr(layer) == "Recurrent(doubled, 4, 5)"
        h = torch.zeros(BATCH, HIDDEN)
        for t in range(STEPS):
            h = (x[t] @ layer.weight_ih_l0.T + layer.bias_ih_l0 + 2 * h).tanh()
        assert_close(layer(x)[1][0], h)


class Forgetful(Cell):
    """Returns a tensor instead of a tuple of states."""

    gates = ("h",)
    states = ("h", "c")

    def step(self, projected, state, weights):
        return projected.tanh()


@pytest.mark.filterwarnings("ignore::elman.FallbackWarning")
def test_a_step_that_returns_no_state_is_told_in_a_sentence():
    layer = elman.Recurrent(Forgetful, INPUT, HIDDEN)
    with pytest.raises(
        elman.UsageError, match=r"'forgetful' must return a tuple of its states, \(h, c\), but returns 1 v"
    ):
        layer(torch.zeros(STEPS, BATCH, INPUT))


REFUSALS = {
    "unknown cell 'lstmm'; did you mean 'lstm'": lambda: elman.Recurrent("lstmm", 4, 5),
    "does not define step; docs/extending.md": lambda: elman.Recurrent(Unfinished, 4, 5),
    "a cell is a name, an elman.Cell or a class of cells, got 3": lambda: elman.Recurrent(3, 4, 5),
    "hidden_size must be a whole number from 1 on, got 0": lambda: elman.Recurrent("gru", 4, 0),
    "has 2 sizes, which num_layers=3 contradicts": lambda: elman.Recurrent("gru", 4, (5, 6), 3),
    "residual adds a layer's input to its output": lambda: elman.Recurrent("gru", 4, (5, 6), residual=True),
    "residual acts between layers": lambda: elman.GRU(4, 5, residual=True),
    "dropout acts between layers": lambda: elman.Recurrent("gru", 4, 5, dropout=0.5),
    "gru has no projection": lambda: elman.Recurrent("gru", 4, 5, proj_size=2),
    "proj_size=5 must be from 0 to less than": lambda: elman.Recurrent("lstm", 4, 5, proj_size=5),
    "zoneout=1.5 is no probability": lambda: elman.LSTM(4, 5, zoneout=1.5),
    "zoneout has 3 probabilities, but lstm has 2 states": lambda: elman.LSTM(4, 5, zoneout=(0.1, 0.1, 0.1)),
    "mingru has no recurrent matmul": lambda: elman.Recurrent("mingru", 4, 5, recurrent_dropout=0.1),
    "unknown init 'ortho'; choose one of": lambda: elman.LSTM(4, 5, init="ortho"),
    "does not say over how many steps": lambda: elman.LSTM(4, 5, init="chrono"),
    "indrnn has none; choose another": lambda: elman.Recurrent("indrnn", 4, 5, init="orthogonal"),
    "but rnn has no such gate": lambda: elman.RNN(4, 5, init="forget-bias"),
}


@pytest.mark.parametrize("message", REFUSALS)
def test_what_makes_no_sense_is_refused_in_a_sentence(message):
    with pytest.raises(elman.UsageError, match=message.replace("(", r"\(")):
        REFUSALS[message]()


def test_bad_calls_are_refused_in_a_sentence():
    layer = elman.Recurrent("peephole-lstm", INPUT, HIDDEN, 2)
    x, state = torch.zeros(STEPS, BATCH, INPUT), torch.zeros(2, BATCH, HIDDEN)
    for arguments, message in (
        ((torch.zeros(STEPS),), "give one of the form"),
        ((torch.zeros(STEPS, BATCH, 9),), "input has 9 features, but this layer was made for input_size=4"),
        ((x.double(),), "input is torch.float64, but the weights are torch.float32"),
        ((x, (state[:, :1], state[:, :1])), r"one row's state serves 3 rows as tensor.expand\(-1, 3, -1\)"),
        ((x[:, :2], (state, state)), r"select those of the state that they go on with, as tensor\[:, rows\]"),
        ((x, (state[:, :2], state[:, :2])), "append zeros for those that begin anew"),
        ((x, (state, state[..., :2])), r"h \(1, 3, 5\), c \(1, 3, 5\) \(directions, rows, features\) is needed"),
    ):
        with pytest.raises(ValueError, match=message):
            layer(*arguments)
    with pytest.raises(elman.UsageError, match="scan has one tensor for all layers"):
        elman.Recurrent("gru", INPUT, (5, 6)).scan(x)
