"""Layers under autocast, whose products are of bfloat16: what is left of the contracts, beyond single programs."""

import pytest
import torch
from tests.tolerance import assert_close, assert_equal

import elman

CELLS = ("rnn", "gru", "lstm", "gru-reset-before", "mingru", "lru")


@pytest.fixture(autouse=True)
def _pairs(monkeypatch, instruction_set):
    """As if every instruction set had products of bfloat16."""
    monkeypatch.setattr("elman.engine.products.multiplies_bfloat16", lambda: True)


def narrow(layer, x, **options):
    with torch.autocast("cpu", torch.bfloat16), elman.backend("native"):
        return layer(x, **options)[0]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("inputs", [1, 64, 767, 1701])
def test_weights_may_be_cut_into_slices(inputs, threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for batch in (1, 9, 40):
            layer, x = elman.LSTM(inputs, 70), torch.randn(1, batch, inputs).bfloat16().float()
            with torch.no_grad():
                for parameter in layer.parameters():
                    parameter.copy_(parameter.bfloat16())
                assert_close(narrow(layer, x), layer(x)[0])  # of one step from zeros, nothing is left to be rounded
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("options", [{}, {"layer_norm": True}, {"bidirectional": True, "num_layers": 2}], ids=str)
@pytest.mark.parametrize("cell", CELLS)
def test_a_row_does_not_depend_on_its_neighbours(cell, options):
    layer, x = elman.Recurrent(cell, 12, 80, **options), torch.randn(20, 40, 12)
    whole = narrow(layer, x)
    for rows in (slice(0, 1), slice(3, 6), slice(7, 17)):
        assert_equal(narrow(layer, x[:, rows]), whole[:, rows])


def test_rows_of_unequal_length_are_as_they_are_alone():
    layer, x, lengths = elman.GRU(12, 80, bidirectional=True), torch.randn(20, 5, 12), torch.tensor([20, 3, 0, 11, 1])
    whole = narrow(layer, x, lengths=lengths)
    for row, length in enumerate(lengths.tolist()):
        if length:
            assert_equal(narrow(layer, x[:length, row : row + 1]), whole[:length, row : row + 1])


@pytest.mark.parametrize("cell", CELLS)
def test_backward_works_twice(cell):
    layer, x = elman.Recurrent(cell, 12, 20), torch.randn(7, 3, 12, requires_grad=True)
    loss = narrow(layer, x).square().sum()
    first = torch.autograd.grad(loss, [x, *layer.parameters()], retain_graph=True)
    assert_equal(torch.autograd.grad(loss, [x, *layer.parameters()]), first)


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_are_those_of_float32_but_for_the_rounding(cell):
    layer, x = elman.Recurrent(cell, 48, 96), torch.randn(30, 24, 48, requires_grad=True)

    def gradients(output):
        return torch.autograd.grad(output.square().mean(), [x, *layer.parameters()])

    for found, expected in zip(gradients(narrow(layer, x)), gradients(layer(x)[0]), strict=True):
        assert 0 < (found - expected).norm() < 0.02 * expected.norm()


def test_an_explanation_says_so():
    layer, x = elman.LSTM(4, 6), torch.randn(5, 2, 4)
    for name in ("bfloat16", "bf16"):
        with elman.precision(name):
            assert "products of bfloat16" in elman.explain(layer, x).reason
            assert "bfloat16" not in elman.explain(layer.double(), x.double()).reason
            with torch.no_grad():
                assert "bfloat16" not in elman.explain(layer.float(), x[:1]).reason
    assert "bfloat16" not in elman.explain(layer, x).reason


@pytest.mark.one_graph
def test_what_is_asked_for_holds_inside_the_block_and_before_autocast():
    layer, x = elman.LSTM(4, 6), torch.randn(5, 2, 4)
    exact, rounded = layer(x)[0], narrow(layer, x)
    with elman.precision("bfloat16"):
        assert_equal(layer(x)[0], rounded)
        with elman.precision("float32"):
            assert_equal(layer(x)[0], exact)
        compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
        assert_equal(compiled(x)[0], rounded)
    assert_equal(compiled(x)[0], exact)
    assert_equal(layer(x)[0], exact)
    assert not torch.equal(exact, rounded)
    with elman.precision("float32"):
        assert_equal(narrow(layer, x), exact)
    torch.compiler.reset()


def test_unknown_products_are_told():
    with (
        pytest.raises(elman.UsageError, match=r"unknown products 'half'; choose one of float32, bfloat16, bf16"),
        elman.precision("half"),
    ):
        pass


def test_a_single_step_stays_in_float32():
    layer, x = elman.LSTM(4, 6), torch.randn(1, 2, 4)
    with torch.no_grad():
        assert_equal(narrow(layer, x), layer(x)[0])


def test_float64_is_left_alone():
    layer, x = elman.LSTM(4, 6, dtype=torch.float64), torch.randn(5, 2, 4, dtype=torch.float64)
    assert_equal(narrow(layer, x), layer(x)[0])
