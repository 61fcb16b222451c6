"""Packed weights are used again while the weights are the same, and never when they are not."""

import gc

import pytest
import torch
from tests.engine.native.conftest import native
from tests.tolerance import assert_close

import elman
from elman.engine.native import packed, programs, steps

CHANGES = {
    "in place": lambda p: p.mul_(0.5),
    "through data": lambda p: p.data.mul_(0.5),
    "new data": lambda p: setattr(p, "data", p.data * 0.5),
    "data as a mask": lambda p: p.data.mul_((torch.rand(p.shape) < 0.7).float()),
    "through numpy": lambda p: p.detach().numpy().__imul__(0.5),
    "row by row": lambda p: [row.mul_(0.5) for row in p],
}


@pytest.fixture(autouse=True)
def _empty():
    elman.clear_cache()


def expected(module, *arguments):
    with elman.backend("reference"):
        result = module(*arguments)
    return result[0] if isinstance(result, tuple) else result


def value(module, *arguments):
    result = module(*arguments)
    return result[0] if isinstance(result, tuple) else result


def entries():
    return {(weights, *use): entry for weights, kept in packed._entries.items() for use, entry in kept.items()}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", ["LSTM", "GRUCell", "LSTMCell"])
def test_changed_weights_are_packed_anew(kind, change):
    module = getattr(elman, kind)(8, 32)
    x = torch.randn(3, 8) if "Cell" in kind else torch.randn(4, 3, 8)
    with torch.no_grad():
        for _ in range(2):
            before = value(module, x).clone()
        for parameter in module.parameters():
            CHANGES[change](parameter)
        after = value(module, x)
        assert not torch.allclose(before, after)
        assert_close(after, expected(module, x))


def test_unchanged_weights_are_packed_once():
    layer, x = elman.LSTM(8, 32), torch.randn(4, 3, 8)
    with torch.no_grad():
        layer(x)
        layer(x)  # only now they are known to be asked for again, and a hash is kept
        kept = entries()
        layer(x)
        layer(torch.randn(9, 3, 8))
    layer(x)  # training multiplies with the same
    assert len(kept) == 1
    assert entries() == kept


def test_training_and_inference_share_only_what_is_packed_alike():
    """An sLSTM's gates lie side by side in inference; in training two of them are kept, each by itself."""
    layer, x = elman.Recurrent("slstm", 8, 20), torch.randn(4, 3, 8)
    output = layer(x)[0]
    with torch.no_grad():
        assert_close(value(layer, x), expected(layer, x))
        assert_close(output, expected(layer, x))
    assert len(entries()) == 2


def test_what_is_packed_dies_with_its_weights():
    layer, x = elman.LSTM(8, 32), torch.randn(4, 3, 8)
    layer(x)[0].sum().backward()
    assert len(entries()) == 2
    del layer
    gc.collect()
    assert not packed._entries


def test_weights_that_are_computed_for_each_call_are_not_kept():
    layer = torch.nn.utils.parametrizations.weight_norm(elman.GRU(8, 32), "weight_hh_l0")
    x = torch.randn(4, 3, 8)
    for _ in range(5):
        layer(x)[0].sum().backward()
    gc.collect()
    assert not packed._entries


def test_weights_made_in_inference_mode_work():
    with torch.inference_mode():
        cell, x = elman.LSTMCell(8, 32), torch.randn(3, 8)
        for _ in range(2):
            assert_close(value(cell, x), expected(cell, x))
            for parameter in cell.parameters():
                parameter.mul_(0.5)


def test_clear_cache_gives_memory_back():
    layer, x = elman.LSTM(64, 128), torch.randn(40, 16, 64)
    layer(x)[0].sum().backward()
    assert native.kept_workspace() > 1 << 20
    elman.clear_cache()
    assert native.kept_workspace() == 0
    assert not packed._entries
    with torch.no_grad():
        assert_close(layer(x)[0], expected(layer, x))


def test_clear_cache_gives_back_what_single_steps_keep():
    cell, x, state = elman.LSTMCell(64, 128), torch.randn(1, 64), (torch.randn(1, 128), torch.randn(1, 128))
    with torch.no_grad():
        cell(x, state)
        assert steps._kept
        elman.clear_cache()
        assert not steps._kept
        assert_close(value(cell, x, state), expected(cell, x, state))


def test_two_cells_may_share_their_weights():
    tanh, relu = elman.RNNCell(8, 32), elman.RNNCell(8, 32, nonlinearity="relu")
    relu.weight_ih, relu.weight_hh, relu.bias_ih, relu.bias_hh = tanh.parameters()
    x, h = torch.randn(3, 8), torch.randn(3, 32)
    with torch.no_grad():
        for cell in (tanh, relu, tanh):
            assert_close(cell(x, h), expected(cell, x, h))


def test_programs_that_are_no_more_are_not_taken_for_those_that_come_after(monkeypatch):
    class Warm(elman.Cell):
        gates = ("a", "b")
        recurrent_gates = ("b",)
        states = ("h",)
        warmth = 1.0

        def step(self, projected, state, weights):
            a, b = projected.chunk(2, -1)
            return (torch.tanh(self.warmth * a + weights.recurrent(a * state[0], "b") + b),)

    monkeypatch.setattr(programs, "MOST", 4)
    cell, x = Warm(), torch.randn(6, 3, 5, dtype=torch.float64, requires_grad=True)
    layer = elman.Recurrent(cell, 5, 64, dtype=torch.float64)
    for step in range(50):
        cell.warmth = 1 + step / 50
        found = torch.autograd.grad(layer(x)[0].sum(), [x, *layer.parameters()])
        with elman.backend("reference"):
            assert_close(found, torch.autograd.grad(layer(x)[0].sum(), [x, *layer.parameters()]))
    assert len(entries()) == packed.MOST


@pytest.mark.parametrize("weights", [torch.bfloat16, torch.int8])
@pytest.mark.parametrize("hidden", [5, 70, 130])
@pytest.mark.parametrize("batch", [1, 2, 7])
def test_matrices_kept_as_narrower_numbers(batch, hidden, weights, instruction_set):
    layer, x = elman.LSTM(37, hidden), torch.randn(4, batch, 37)
    stepper = layer.stepper(batch, weights=weights)
    with elman.backend("reference"):
        expected = layer.stepper(batch, weights=weights)
    for each in x:
        assert_close(stepper(each), expected(each))
