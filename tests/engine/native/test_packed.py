"""Packed weights are used again while the weights are the same, and never when they are not."""

import gc

import pytest
import torch
from tests.engine.native.conftest import native
from tests.tolerance import assert_close

import elman
from elman.engine.native import packed

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
    packed.clear()
    elman.clear_cache()


def expected(module, *arguments):
    with elman.backend("reference"):
        result = module(*arguments)
    return result[0] if isinstance(result, tuple) else result


def value(module, *arguments):
    result = module(*arguments)
    return result[0] if isinstance(result, tuple) else result


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
        kept = dict(packed._entries)
        layer(x)
        layer(torch.randn(9, 3, 8))
    layer(x)  # training multiplies with the same
    assert len(kept) == 1
    assert packed._entries == kept


def test_what_is_packed_dies_with_its_weights():
    layer, x = elman.LSTM(8, 32), torch.randn(4, 3, 8)
    layer(x)[0].sum().backward()
    assert len(packed._entries) == 2
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


def test_two_cells_may_share_their_weights():
    tanh, relu = elman.RNNCell(8, 32), elman.RNNCell(8, 32, nonlinearity="relu")
    relu.weight_ih, relu.weight_hh, relu.bias_ih, relu.bias_hh = tanh.parameters()
    x, h = torch.randn(3, 8), torch.randn(3, 32)
    with torch.no_grad():
        for cell in (tanh, relu, tanh):
            assert_close(cell(x, h), expected(cell, x, h))


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
