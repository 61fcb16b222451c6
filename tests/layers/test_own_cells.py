"""Recurrent in use: cells of the user's own, a size for each layer, and what is refused in a sentence."""

import pytest
import torch
from tests.tolerance import assert_close, assert_equal

import elman
from elman.cells import Cell

from .cases import BATCH, HIDDEN, INPUT, STEPS


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
    message = r"'forgetful' must return a tuple of its states, h \(3, 5\), c \(3, 5\), but returns a Tensor"
    with pytest.raises(elman.UsageError, match=message):
        layer(torch.zeros(STEPS, BATCH, INPUT))


def cell(step, gates=("r", "z", "n"), **more):
    return type("Own", (Cell,), {"gates": gates, "states": ("h",), "step": step, **more})


def test_gates_and_states_may_be_lists():
    x = torch.randn(STEPS, BATCH, INPUT)
    listed = type("Listed", (Doubled,), {"gates": ["h"], "states": ["h"]})
    layer, same = elman.Recurrent(listed, INPUT, HIDDEN), elman.Recurrent(Doubled, INPUT, HIDDEN)
    same.load_state_dict(layer.state_dict())
    assert_equal(layer(x)[0], same(x)[0])


MISTAKES = {
    r"must return a tuple of its states, h \(3, 5\), but returns a tuple of \(3, 15\)": cell(
        lambda _, projected, state, weights: (projected,)
    ),
    r"the recurrent gates \('r', 'n'\), which are not side by side in \('r', 'z', 'n'\)": cell(
        lambda _, projected, state, weights: (weights.recurrent(state[0], "r", "n")[:, :HIDDEN],)
    ),
    r"the recurrent gates \('x',\), which are not side by side": cell(
        lambda _, projected, state, weights: (weights.multiply(state[0], "x"),)
    ),
    r"the cell has none: its recurrent_gates are \(\)": cell(
        lambda _, projected, state, weights: (weights.recurrent(state[0]),), recurrent_gates=()
    ),
    r"shapes of H, P, I and numbers from 1 on, such as \('3H', 'P'\) or \('H', 8\), got '5'": cell(
        lambda _, projected, state, weights: state, parameters={"v": ("5",)}
    ),
    r"numbers from 1 on, .* got 0": cell(lambda _, projected, state, weights: state, parameters={"v": ("H", 0)}),
    r"the cell 'own' names 'zz' in recurrent_gates, but its gates are \('r', 'z', 'n'\); take": cell(
        None, recurrent_gates=("r", "zz")
    ),
    r"'own' names 'f' in keep_gate, but its gates are \('r', 'z', 'n'\); take": cell(None, keep_gate="f"),
    r"'own' names 's' in memory, but its states are \('h',\); take": cell(None, memory="s"),
    r"'own' names 'v' in fixed, but its weights are \('ih', 'hh', 'bias_ih', 'bias_hh', 'hr'\); take": cell(
        None, fixed=("v",)
    ),
    r"'own' has fixed = 'hh'; write a tuple of names": cell(None, fixed="hh"),
    r"'own' has gates = 'rzn'; write a tuple of names": cell(None, "rzn"),
    r"'own' has gates \('r', 'r'\), in which a name comes twice": cell(None, ("r", "r")),
    r"'own' has no states; name at least one": cell(None, states=()),
    r"'own' has parameters = \('v',\); write names and shapes": cell(None, parameters=("v",)),
    r"'own' has a parameter 'ih', which is no name that is free": cell(None, parameters={"ih": ("H",)}),
    r"'own' has a parameter 'recurrent', which": cell(None, parameters={"recurrent": ("H",)}),
    r"'own' has a parameter 'weight_ih', which": cell(None, parameters={"weight_ih": ("H",)}),
    r"'own' has a parameter '2v', which": cell(None, parameters={"2v": ("H",)}),
    r"'own' has a parameter '_v', which": cell(None, parameters={"_v": ("H",)}),
    r"'own' has a parameter 'lambda', which": cell(None, parameters={"lambda": ("H",)}),
    r"'own' names 'v' in numbers, whose shape is \('H',\); give it a few rows of I columns, such as": cell(
        None, parameters={"v": ("H",)}, numbers=("v",)
    ),
    r"'own' names 'v' in numbers, whose shape is not among its parameters": cell(None, numbers=("v",)),
}


@pytest.mark.filterwarnings("ignore::elman.FallbackWarning")
@pytest.mark.parametrize("message", MISTAKES)
def test_a_mistake_in_a_cell_is_told_in_a_sentence(message):
    with pytest.raises(elman.UsageError, match=message):
        elman.Recurrent(MISTAKES[message], INPUT, HIDDEN)(torch.zeros(STEPS, BATCH, INPUT))


class Reservoir(Cell):
    """Random weights that are never learnt, and a gain that is."""

    gates = ("h",)
    states = ("h",)
    parameters = {"gain": ("H",)}  # noqa: RUF012
    fixed = ("ih", "hh", "bias_ih", "bias_hh")

    def step(self, projected, state, weights):
        return ((weights.gain * (projected + weights.recurrent(state[0]))).tanh(),)


@pytest.mark.parametrize("options", [{}, {"layer_norm": True, "zoneout": 0.1}])
def test_fixed_weights_are_kept_and_not_learnt(options):
    layer = elman.Recurrent(Reservoir, INPUT, HIDDEN, num_layers=2, **options)
    before = {name: tensor.clone() for name, tensor in layer.state_dict().items()}
    layer(torch.randn(STEPS, BATCH, INPUT))[0].sum().backward()
    torch.optim.SGD(layer.parameters(), 0.1, weight_decay=0.1).step()
    learnt = {name for name, tensor in layer.state_dict().items() if not torch.equal(tensor, before[name])}
    assert learnt == {name for name in before if name.startswith("gain")}
    assert layer.weight_hh_l0.abs().max() > 0


@pytest.mark.native
@pytest.mark.parametrize("recurrent", [(), ("a",)])
def test_a_row_sum_that_is_only_kept_for_backward_is_the_references(recurrent, threads):
    def step(_, projected, state, weights):
        total = projected + weights.recurrent(state[0]) if recurrent else projected
        return ((total * total.sum(-1, keepdim=True)).tanh(),)

    layer = elman.Recurrent(cell(step, ("a",), recurrent_gates=recurrent), INPUT, 200, dtype=torch.float64)  # chaotic
    for _ in range(3):  # what lies in memory that is used again is another each time
        x = torch.randn(STEPS, BATCH, INPUT, dtype=torch.float64)
        with elman.backend("reference"):
            expected = layer(x)
        with elman.backend("native"):
            assert_close(layer(x), expected)


@pytest.mark.filterwarnings("ignore::elman.FallbackWarning")
def test_a_step_in_place_writes_over_neither_the_callers_state_nor_an_output():
    def step(_, projected, state, weights):
        (h,) = state
        h.mul_(0.5)
        h += projected
        return (h,)

    plain = cell(lambda _, projected, state, weights: (state[0] * 0.5 + projected,), ("h",), recurrent_gates=())
    layer = elman.Recurrent(cell(step, ("h",), recurrent_gates=()), INPUT, HIDDEN)
    same = elman.Recurrent(plain, INPUT, HIDDEN)
    same.load_state_dict(layer.state_dict())
    x, before = torch.randn(STEPS, BATCH, INPUT), torch.ones(1, BATCH, HIDDEN)
    with torch.no_grad():
        assert_close(layer(x, before), same(x, before))
    assert_equal(before, torch.ones(1, BATCH, HIDDEN))


REFUSALS = {
    "layer_norm='yes' is neither True nor False": lambda: elman.LSTM(4, 5, layer_norm="yes"),
    "residual=1 is neither True nor False": lambda: elman.Recurrent("gru", 4, (5, 5), residual=1),
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
    "zoneout='0.1' is no probability": lambda: elman.LSTM(4, 5, zoneout="0.1"),
    "zoneout='a' is no probability": lambda: elman.LSTM(4, 5, zoneout=("a", 0.1)),
    "dropout='0.1' is no probability": lambda: elman.Recurrent("gru", 4, 5, 2, dropout="0.1"),
    "zoneout has 3 probabilities, but lstm has 2 states": lambda: elman.LSTM(4, 5, zoneout=(0.1, 0.1, 0.1)),
    "mingru has no recurrent matmul": lambda: elman.Recurrent("mingru", 4, 5, recurrent_dropout=0.1),
    "unknown init 'ortho'; choose one of": lambda: elman.LSTM(4, 5, init="ortho"),
    "unknown init None; choose one of": lambda: elman.LSTM(4, 5, init=None),
    "does not say over how many steps": lambda: elman.LSTM(4, 5, init="chrono"),
    "init='chrono:2' does not say": lambda: elman.LSTM(4, 5, init="chrono:2"),
    "indrnn has none; choose another": lambda: elman.Recurrent("indrnn", 4, 5, init="orthogonal"),
    "but rnn has no such gate": lambda: elman.RNN(4, 5, init="forget-bias"),
}


@pytest.mark.parametrize("message", REFUSALS)
def test_what_makes_no_sense_is_refused_in_a_sentence(message):
    with pytest.raises(elman.UsageError, match=message.replace("(", r"\(")):
        REFUSALS[message]()


def test_an_option_that_there_is_not_is_refused_by_the_layer_with_the_nearest_name():
    for make, message in (
        (lambda: elman.LSTM(4, 5, zoneuot=0.1), r"LSTM.__init__\(\) got an .* 'zoneuot'; did you mean 'zoneout'\?"),
        (lambda: elman.Recurrent("gru", 4, 5, num_layer=2), r"Recurrent.__init__\(\) .* did you mean 'num_layers'\?"),
        (lambda: elman.GRU(4, 5, qqq=2), r"^GRU.__init__\(\) got an unexpected keyword argument 'qqq'$"),
    ):
        with pytest.raises(TypeError, match=message):
            make()


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
        ((x, state), r"a state of peephole-lstm is a tuple of 2 tensors \(h, c\), got a tensor"),
        ((x, [state] * 3), r"a state of peephole-lstm is a tuple of 2 tensors \(h, c\), got a list of 3"),
        ((x, (state, state.double())), "the state is torch.float64, but the input is torch.float32"),
        ((x, (state, state[..., :2])), r"h \(1, 3, 5\), c \(1, 3, 5\) \(directions, rows, features\) is needed"),
    ):
        with pytest.raises(ValueError, match=message):
            layer(*arguments)
    with pytest.raises(elman.UsageError, match="scan has one tensor for all layers"):
        elman.Recurrent("gru", INPUT, (5, 6)).scan(x)
