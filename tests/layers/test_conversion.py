"""convert: a model of torch.nn becomes Elman's without changing what it holds or computes."""

import copy

import pytest
import torch
from tests.layers.pairs import CELL_LAYERS, LAYERS, flat, pair
from tests.tolerance import assert_equal
from torch import nn
from torch.nn.utils import parametrize

from elman import layers
from elman.cells import Cell
from elman.engine import backend
from elman.errors import FallbackWarning, UsageError
from elman.layers import convert

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN:UserWarning")

ALL = [(name, LAYERS) for name in LAYERS] + [(name, CELL_LAYERS) for name in CELL_LAYERS]
each = pytest.mark.parametrize(
    ("name", "table"), ALL, ids=[name + ("-cell" if table is CELL_LAYERS else "") for name, table in ALL]
)
given = torch.linspace(-1, 1, 20).view(5, 4)


@pytest.fixture(autouse=True)
def _torch_kernels():
    with backend("torch"):
        yield


@each
def test_a_layer_itself_gives_its_twin(name, table):
    _, theirs = pair(name, 4, 6, table=table)
    twin = convert(theirs)
    assert type(twin) is table[name][0]
    assert type(theirs) is table[name][1]
    assert {id(parameter) for parameter in twin.parameters()} == {id(parameter) for parameter in theirs.parameters()}
    assert repr(twin) == repr(theirs)
    assert list(twin.state_dict()) == list(theirs.state_dict())
    assert_equal(flat(twin(given)), flat(theirs(given)))


@each
def test_a_twin_is_a_full_member_of_its_class(name, table):
    _, theirs = pair(name, 4, 6, table=table)
    twin = convert(theirs)
    assert_equal(flat(copy.deepcopy(twin)(given)), flat(theirs(given)))
    assert_equal(flat(twin.double()(given.double())), flat(theirs(given.double())))
    assert all(parameter.dtype == torch.float64 for parameter in theirs.parameters())


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(10, 4)
        self.encoders = nn.ModuleList([nn.LSTM(4, 4), nn.Sequential(nn.GRU(4, 4))])
        self.decoder = nn.RNNCell(4, 4)
        self.tied = self.encoders[0]

    def forward(self, tokens):
        value, _ = self.encoders[0](self.embedding(tokens))
        value, _ = self.encoders[1](value)
        value, _ = self.tied(value)
        return self.decoder(value[-1])


def test_every_layer_within_a_model_is_replaced_in_place():
    model, tokens = Tagger(), torch.randint(10, (5, 3))
    expected, names = model(tokens), list(model.state_dict())
    parameters = list(map(id, model.parameters()))
    assert convert(model) is model
    assert type(model.encoders[0]) is layers.LSTM
    assert type(model.encoders[1][0]) is layers.GRU
    assert type(model.decoder) is layers.RNNCell
    assert list(model.state_dict()) == names
    assert list(map(id, model.parameters())) == parameters
    assert_equal(model(tokens), expected)


def test_a_module_in_two_places_stays_one():
    model = convert(Tagger())
    assert model.tied is model.encoders[0]


def test_an_optimizer_made_before_goes_on_working():
    model, tokens = Tagger(), torch.randint(10, (5, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    before = model.encoders[0].weight_hh_l0.detach().clone()
    convert(model)(tokens).sum().backward()
    optimizer.step()
    assert not torch.equal(model.encoders[0].weight_hh_l0, before)


def test_converting_twice_changes_nothing_more():
    model = convert(Tagger())
    held = dict(model.named_modules())
    assert all(held[name] is module for name, module in convert(model).named_modules())
    twin = convert(nn.GRU(4, 6))
    assert convert(twin) is twin


def test_training_flag_hooks_and_own_attributes_are_kept():
    theirs, seen = nn.LSTM(4, 6).eval(), []
    theirs.note = "mine"
    handle = theirs.register_forward_hook(lambda module, arguments, output: seen.append(module))
    twin = convert(theirs)
    assert not twin.training
    assert twin.note == "mine"
    twin(given)
    assert seen == [twin]
    handle.remove()
    twin(given)
    assert seen == [twin]


@pytest.mark.parametrize(
    ("base", "to", "instead"), [(nn.LSTM, "elman", "elman.LSTM"), (layers.GRU, "torch", "torch.nn.GRU")]
)
def test_subclasses_are_left_alone_and_named(base, to, instead):
    class Own(base):
        pass

    model = nn.Sequential(Own(4, 6), nn.Sequential(Own(6, 6)))
    with pytest.warns(FallbackWarning, match=rf"{__name__}.*Own alone.* derive that class from {instead} ") as caught:
        assert convert(model, to=to) is model
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert {type(model[0]), type(model[1][0])} == {Own}
    own = nn.utils.parametrizations.weight_norm(Own(4, 6), "weight_hh_l0")
    with pytest.warns(FallbackWarning, match="Own alone"):
        assert convert(own, to=to) is own


@pytest.mark.filterwarnings(  # torch's own, of what it means to take away
    "ignore:.*torch.:DeprecationWarning", "ignore::torch.jit.TracerWarning", "ignore:torch.quantize:UserWarning"
)
@pytest.mark.parametrize(
    ("made", "how"),
    [
        (torch.jit.script, "compiled by torch.jit"),
        (lambda model: torch.jit.trace(model, given), "compiled by torch.jit"),
        (lambda model: torch.ao.quantization.quantize_dynamic(model, {nn.GRU}), "quantized"),
    ],
    ids=["script", "trace", "quantize_dynamic"],
)
def test_layers_that_torch_made_something_else_of_are_left_alone_and_named(made, how):
    model = made(nn.Sequential(nn.Linear(4, 4), nn.GRU(4, 6)))
    with pytest.warns(FallbackWarning, match=rf"alone layers that are {how} \(GRU\); convert the model") as caught:
        assert convert(model) is model
    assert caught[0].filename == __file__


def test_a_model_without_recurrent_layers_comes_back_as_it_was():
    model = nn.Linear(2, 3)
    assert convert(model) is model


class Halved(nn.Module):
    def forward(self, weight):
        return weight / 2

    def right_inverse(self, weight):
        return weight * 2


@each
def test_parametrizations_are_kept(name, table):
    _, theirs = pair(name, 4, 6, table=table)
    key = next(key for key, _ in theirs.named_parameters() if key.startswith("weight_hh"))
    parametrize.register_parametrization(theirs, key, Halved())
    twin = convert(nn.ModuleList([theirs]))[0]
    assert isinstance(twin, table[name][0])
    assert list(twin.state_dict()) == list(theirs.state_dict())
    assert_equal(flat(twin(given)), flat(theirs(given)))
    with torch.no_grad():
        twin.parametrizations[key].original.zero_()
    assert not getattr(twin, key).any()
    assert_equal(flat(copy.deepcopy(twin)(given)), flat(twin(given)))
    parametrize.remove_parametrizations(twin, key)
    assert type(twin) is table[name][0]
    assert convert(twin) is twin


@each
def test_the_way_back_gives_torchs_layer_with_the_same_parameters(name, table):
    ours, _ = pair(name, 4, 6, table=table)
    twin = convert(ours, to="torch")
    assert type(twin) is table[name][1]
    assert [id(parameter) for parameter in twin.parameters()] == [id(parameter) for parameter in ours.parameters()]
    assert vars(twin).keys() == vars(table[name][1](4, 6)).keys()
    assert_equal(flat(twin(given)), flat(ours(given)))
    assert_equal(flat(copy.deepcopy(twin).double()(given.double())), flat(ours.double()(given.double())))


def test_the_way_back_in_a_model_takes_recurrents_of_torchs_cells_too():
    model = nn.Sequential(nn.Linear(4, 4), layers.Recurrent("lstm", 4, 6, 2, bidirectional=True, init="orthogonal"))
    twin = convert(copy.deepcopy(model), to="torch")
    assert type(twin[1]) is nn.LSTM
    assert list(twin.state_dict()) == list(model.state_dict())
    assert_equal(flat(twin(given)), flat(model(given)))
    assert type(convert(twin)[1]) is layers.LSTM


def test_the_way_back_keeps_parametrizations_of_single_steps():
    cell = layers.GRUCell(4, 6)
    parametrize.register_parametrization(cell, "weight_hh", Halved())
    twin = convert(nn.ModuleList([cell]), to="torch")[0]
    assert isinstance(twin, nn.GRUCell)
    assert not isinstance(twin, layers.GRUCell)
    assert_equal(flat(twin(given)), flat(cell(given)))
    with torch.no_grad():
        twin.parametrizations["weight_hh"].original.zero_()
    assert not twin.weight_hh.any()


class Lstm(Cell):
    """h' = tanh(i): of the name of one that torch has, and not the same."""

    gates, states = ("i",), ("h",)
    recurrent_gates = ()

    def step(self, projected, state, weights):
        return (projected.tanh(),)


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (lambda: layers.Recurrent(Lstm(), 4, 6), "the cell 'lstm'"),
        (lambda: layers.LSTM(4, 6, layer_norm=True), "layer_norm=True"),
        (lambda: layers.Recurrent("mingru", 4, 6), "the cell 'mingru'"),
        (lambda: layers.Recurrent("gru", 4, [6, 7]), r"hidden_size=\(6, 7\)"),
        (lambda: nn.utils.parametrizations.weight_norm(layers.LSTM(4, 6), "weight_hh_l0"), "parametrized"),
    ],
)
def test_what_torch_has_no_layer_for_is_refused_and_nothing_is_replaced(layer, said):
    model = nn.Sequential(layers.GRU(4, 4), layer())
    with pytest.raises(UsageError, match=said):
        convert(model, to="torch")
    assert type(model[0]) is layers.GRU


def test_a_model_goes_to_elman_or_torch():
    with pytest.raises(UsageError, match="neither 'elman' nor 'torch'"):
        convert(nn.LSTM(4, 6), to="keras")
