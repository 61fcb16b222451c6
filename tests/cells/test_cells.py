"""The cells against torch's own, and what their contract promises to the engine."""

import pytest
import torch
from tests.tolerance import assert_close
from torch import nn
from torch.fx.experimental.proxy_tensor import make_fx

from elman.cells import CELLS, GRU, LSTM, Elman, Weights, find
from elman.errors import UsageError

TORCH_CELL = {
    "rnn": nn.RNNCell,
    "rnn-relu": lambda *sizes, **options: nn.RNNCell(*sizes, nonlinearity="relu", **options),
    "gru": nn.GRUCell,
    "lstm": nn.LSTMCell,
}


def weights_of(module):
    return Weights(module.weight_ih, module.weight_hh, module.bias_ih, module.bias_hh)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", CELLS)
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


@pytest.mark.parametrize("name", CELLS)
def test_a_step_uses_only_operations_that_an_engine_can_run(name):
    """No loop, no branch on values, no indexing: matmuls with the weights, slicing into gates, pointwise operations."""
    cell, module = CELLS[name], TORCH_CELL[name](3, 5)
    weights, rows = weights_of(module), torch.randn(4, 5 * len(CELLS[name].gates))
    state = tuple(torch.randn(4, 5) for _ in cell.states)
    graph = make_fx(lambda projected, *state: cell.step(projected, state, weights))(rows, *state).graph
    called = {str(node.target).split(".")[1] for node in graph.nodes if str(node.target).startswith("aten.")}
    assert called <= {"t", "addmm", "mm", "split", "add", "sub", "mul", "rsub", "sigmoid", "tanh", "relu", "detach"}


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


def test_an_unknown_nonlinearity_is_refused():
    with pytest.raises(UsageError, match="unknown nonlinearity 'sigmoid'"):
        Elman("sigmoid")
