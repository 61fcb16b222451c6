"""The layers are modules as torch.nn's are: constructors, weights, state_dict, repr, copies, replaced weights."""

import copy
import io
import pickle
import warnings

import pytest
import torch
from tests.layers.pairs import CELL_LAYERS, LAYERS, flat, pair
from tests.tolerance import assert_close, assert_equal
from torch import nn
from torch.func import functional_call
from torch.nn.utils import parametrizations, parametrize

from elman.engine import backend
from elman.layers import GRU, LSTM, RNN

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN:UserWarning")


@pytest.fixture(autouse=True)
def _torch_kernels():
    """Compare bits with torch's: by the backend that runs torch's kernels."""
    with backend("torch"):
        yield


ALL = [(name, LAYERS) for name in LAYERS] + [(name, CELL_LAYERS) for name in CELL_LAYERS]
IDS = [name + ("-cell" if table is CELL_LAYERS else "") for name, table in ALL]
each = pytest.mark.parametrize(("name", "table"), ALL, ids=IDS)

CONSTRUCTIONS = [
    ((4, 6), {}),
    ((4, 6), {"num_layers": 3, "bidirectional": True}),
    ((4, 6, 2), {"bias": False, "batch_first": True}),
    ((4, 6), {"num_layers": 2, "dropout": 0.25}),
    ((4, 6), {"num_layers": 2, "dropout": 1, "dtype": torch.float64}),
]


def assert_same_weights(ours, theirs):
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]
    assert_equal(list(ours.parameters()), list(theirs.parameters()))


@pytest.mark.parametrize(("sizes", "options"), CONSTRUCTIONS, ids=str)
@pytest.mark.parametrize("name", LAYERS)
def test_weights_attributes_and_repr_are_torchs(name, sizes, options):
    ours, theirs = pair(name, *sizes, **options)
    assert_same_weights(ours, theirs)
    assert repr(ours) == repr(theirs)
    for attribute in [*nn.LSTM.__constants__, "training", "_flat_weights_names"]:
        assert getattr(ours, attribute) == getattr(theirs, attribute)
    assert_equal(flat(ours.all_weights), flat(theirs.all_weights))
    assert [id(weight) for weight in ours._flat_weights] == [id(weight) for weight in ours.parameters()]
    assert getattr(ours, "nonlinearity", None) == getattr(theirs, "nonlinearity", None)


@pytest.mark.parametrize("options", [{}, {"bias": False}, {"dtype": torch.float64}], ids=str)
@pytest.mark.parametrize("name", CELL_LAYERS)
def test_weights_and_repr_of_cells_are_torchs(name, options):
    ours, theirs = pair(name, 4, 6, table=CELL_LAYERS, **options)
    assert_same_weights(ours, theirs)
    assert repr(ours) == repr(theirs)


POSITIONAL = [
    (RNN, nn.RNN, (4, 6, 2, "relu", False, True, 0.5, True)),
    (GRU, nn.GRU, (4, 6, 2, False, True, 0.5, True)),
    (LSTM, nn.LSTM, (4, 6, 2, False, True, 0.5, True, 3, "cpu", torch.float64)),
]


@pytest.mark.parametrize(("ours", "theirs", "arguments"), POSITIONAL, ids=["rnn", "gru", "lstm"])
def test_positional_arguments_mean_what_they_mean_in_torch(ours, theirs, arguments):
    """RNN's fourth is its nonlinearity, where the others have their bias."""
    assert repr(ours(*arguments)) == repr(theirs(*arguments))


def test_a_positional_argument_that_torch_reads_as_a_projection_is_not_read_as_a_device():
    with pytest.raises(TypeError):
        GRU(4, 6, 1, True, False, 0.0, False, 0)


BAD_CONSTRUCTIONS = [
    ("lstm", (4, 6), {"dropout": 1.5}),
    ("lstm", (4, 6), {"dropout": True}),
    ("lstm", (4, 6), {"dropout": -0.1}),
    ("gru", (0, 6), {}),
    ("gru", (4, 0), {}),
    ("gru", (4, 6, 0), {}),
    ("rnn", (4.0, 6), {}),
    ("rnn", (4, 6.0), {}),
    ("lstm", (4, 6), {"bias": 1}),
    ("lstm", (4, 6), {"batch_first": None}),
    ("lstm", (4, 6), {"proj_size": 6}),
    ("lstm", (4, 6), {"proj_size": -1}),
    ("gru", (4, 6), {"proj_size": 2}),
    ("rnn", (4, 6), {"proj_size": 0}),
    ("rnn", (4, 6), {"nonlinearity": "sigmoid"}),
]


@pytest.mark.parametrize(("name", "sizes", "options"), BAD_CONSTRUCTIONS, ids=str)
def test_a_constructor_refuses_what_torchs_refuses_in_its_words(name, sizes, options):
    ours, theirs, _ = LAYERS[name]
    try:
        theirs(*sizes, **options)
    except (ValueError, TypeError) as error:
        expected = error
    else:
        pytest.skip("earlier releases of torch do not refuse it")
    with pytest.raises(type(expected)) as actual:
        ours(*sizes, **options)
    assert str(actual.value) == str(expected)


@pytest.mark.parametrize("name", LAYERS)
def test_an_unknown_option_is_refused(name):
    with pytest.raises(TypeError, match="unexpected keyword argument 'units'"):
        LAYERS[name][0](4, 6, units=3)


@pytest.mark.parametrize("name", LAYERS)
def test_dropout_without_a_second_layer_warns_as_torch_does_but_at_the_users_line(name):
    ours, theirs, options = LAYERS[name]
    with pytest.warns(UserWarning, match="dropout option adds") as expected:
        theirs(4, 6, dropout=0.5, **options)
    with pytest.warns(UserWarning, match="dropout option adds") as actual:
        layer = ours(4, 6, dropout=0.5, **options)
    assert [str(warning.message) for warning in actual] == [str(warning.message) for warning in expected]
    assert actual[0].filename == __file__
    assert layer.dropout == 0.5


@each
def test_state_dicts_load_both_ways(name, table):
    ours, theirs = pair(name, 4, 6, table=table)
    for one, other in ((ours, theirs), (theirs, ours)):
        with torch.no_grad():
            for parameter in one.parameters():
                parameter.add_(1)
        other.load_state_dict(one.state_dict())
        assert_same_weights(ours, theirs)


@each
def test_copies_and_pickles_compute_the_same_from_weights_of_their_own(name, table):
    ours, _ = pair(name, 4, 6, table=table)
    given = torch.randn(5, 4)
    saved = io.BytesIO()
    torch.save(ours, saved)
    saved.seek(0)
    for other in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours)), torch.load(saved, weights_only=False)):
        assert_equal(flat(other(given)), flat(ours(given)))
        assert not set(map(id, other.parameters())) & set(map(id, ours.parameters()))


@each
def test_moved_and_emptied_modules_stay_torchs(name, table):
    ours, theirs = pair(name, 4, 6, table=table)
    assert_same_weights(ours.to(torch.bfloat16), theirs.to(torch.bfloat16))
    ours.to("meta")
    assert all(parameter.is_meta for parameter in ours.parameters())


@each
def test_a_weight_that_is_replaced_is_used_at_once(name, table):
    ours, theirs = pair(name, 4, 6, table=table)
    for module in (ours, theirs):
        key = next(key for key, _ in module.named_parameters() if key.startswith("weight_hh"))
        setattr(module, key, nn.Parameter(torch.zeros_like(getattr(module, key))))
    given = torch.randn(5, 4)
    assert_equal(flat(ours(given)), flat(theirs(given)))


@each
def test_functional_call_uses_the_tensors_that_it_is_given(name, table):
    ours, theirs = pair(name, 4, 6, table=table)
    given = torch.randn(5, 4)
    tensors = {key: torch.randn_like(parameter) for key, parameter in ours.named_parameters()}
    assert_equal(flat(functional_call(ours, tensors, given)), flat(functional_call(theirs, tensors, given)))


class Halved(nn.Module):
    def forward(self, weight):
        return weight / 2


@each
def test_parametrizations_hold_and_pass_gradients(name, table):
    ours, theirs = pair(name, 4, 6, table=table)
    key = next(key for key, _ in ours.named_parameters() if key.startswith("weight_hh"))
    with torch.no_grad():
        getattr(theirs, key).div_(2)
    parametrize.register_parametrization(ours, key, Halved())
    given = torch.randn(5, 4)
    outputs = ours(given)
    assert_equal(flat(outputs), flat(theirs(given)))
    sum(tensor.sum() for tensor in flat(outputs)).backward()
    gradient = ours.parametrizations[key].original.grad
    if table is LAYERS:  # a single step from zeros has no gradient there
        assert gradient.any()
    assert_equal(flat(copy.deepcopy(ours)(given)), flat(outputs))


@pytest.mark.parametrize("name", LAYERS)
def test_weight_norm_of_either_kind_leaves_the_function_as_it_was(name):
    ours, theirs = pair(name, 4, 6)
    given = torch.randn(5, 4)
    expected = flat(theirs(given))
    assert_close(flat(parametrizations.weight_norm(copy.deepcopy(ours), "weight_hh_l0")(given)), expected)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        hooked = nn.utils.weight_norm(ours, "weight_hh_l0")
    assert_close(flat(hooked(given)), expected)
    with torch.no_grad():
        hooked.weight_hh_l0_g.zero_()
    assert not torch.equal(flat(hooked(given))[0], expected[0])


def test_a_replica_for_data_parallel_runs_with_the_weights_it_is_given():
    ours, _ = pair("gru", 4, 6)
    given = torch.randn(5, 4)
    replica = ours._replicate_for_data_parallel()
    for key, parameter in ours.named_parameters():
        setattr(replica, key, parameter.detach().clone())
    assert_equal(flat(replica(given)), flat(ours(given)))


@pytest.mark.one_graph
def test_a_whole_stack_compiles_into_one_graph():
    """Which torch refuses for its own."""
    ours, _ = pair("gru", 4, 6, 2, bidirectional=True)
    given = torch.randn(5, 3, 4)
    compiled = torch.compile(ours, fullgraph=True, backend="eager")
    assert_equal(flat(compiled(given)), flat(ours(given)))
