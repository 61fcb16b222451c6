"""`linear_scan` equals its definition, a loop over time, with all its gradients."""

import pytest
import torch
from tests.tolerance import assert_close, assert_equal
from torch.func import grad, vmap

import elman
from elman.engine.linear import _by_steps

SHAPES = [(7,), (1, 3), (5, 2, 3), (9, 3, 64), (4, 2, 130), (6, 1, 1000), (300, 2, 128)]


def drawn(shape, dtype=torch.float64):
    torch.manual_seed(0)
    return [torch.randn(s, dtype=dtype).div(1.5).requires_grad_() for s in (shape, shape, shape[1:])]


def loss(h):
    weights = torch.linspace(-1, 1, h.numel(), dtype=torch.float64).view(h.shape)
    return (torch.view_as_real(h).sin().sum(-1) * weights).sum() if h.is_complex() else (h.sin() * weights).sum()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.complex128, torch.complex64], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_it_equals_the_loop(shape, dtype):
    leaves = drawn(shape, dtype)
    found, expected = elman.linear_scan(*leaves), _by_steps(*leaves)
    assert found.dtype == dtype
    kind = torch.float64 if dtype in {torch.float64, torch.complex128} else torch.float32
    close = {torch.float64: {"rtol": 1e-9, "atol": 1e-10}, torch.float32: {"rtol": 1e-3, "atol": 1e-4}}[kind]
    torch.testing.assert_close(found, expected, **close)
    for one, other in zip(
        torch.autograd.grad(loss(found), leaves), torch.autograd.grad(loss(expected), leaves), strict=True
    ):
        torch.testing.assert_close(one, other, **close)


def test_it_begins_with_zeros_and_at_resets_again():
    a, b, _ = drawn((6, 3, 2))
    for reset in (torch.rand(6, 3) < 0.4, torch.tensor([False, True, False, False, True, False])):
        where = reset.view(*reset.shape, *[1] * (3 - reset.dim()))
        expected = _by_steps(torch.where(where, 0, a), b, torch.zeros(3, 2, dtype=torch.float64))
        assert_close(elman.linear_scan(a, b, reset=reset), expected)


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128], ids=str)
def test_it_differentiates_twice(dtype):
    leaves = drawn((4, 3), dtype)
    assert torch.autograd.gradcheck(elman.linear_scan, leaves)
    assert torch.autograd.gradgradcheck(elman.linear_scan, leaves)


def test_it_compiles_and_maps():
    a, b, initial = drawn((5, 3))
    compiled = torch.compile(elman.linear_scan, fullgraph=True, backend="aot_eager")
    found = compiled(a, b, initial)
    assert_equal(found, elman.linear_scan(a, b, initial))
    given = torch.autograd.grad(loss(found), [a, b, initial])
    assert_close(given, torch.autograd.grad(loss(_by_steps(a, b, initial)), [a, b, initial]))
    many = torch.randn(2, 4, 5, 3)
    rows = [elman.linear_scan(x, y) for x, y in zip(*many, strict=True)]
    assert_equal(vmap(elman.linear_scan)(*many), torch.stack(rows))
    gradient = grad(lambda x, y: elman.linear_scan(x, y).square().sum())
    assert_close(vmap(gradient)(*many), torch.stack([gradient(x, y) for x, y in zip(*many, strict=True)]))


def test_nothing_is_lost_where_products_vanish():
    """Where cumulative products underflow, as the closed form in terms of them does not bear."""
    a, b = torch.full((2000, 4), 0.1, requires_grad=True), torch.ones(2000, 4)
    h = elman.linear_scan(a, b)
    assert_close(h[-1], torch.full((4,), 1 / 0.9))
    h[-1].sum().backward()
    assert a.grad.isfinite().all()


def test_no_steps_and_no_rows_are_no_trouble():
    assert elman.linear_scan(torch.zeros(0, 3), torch.zeros(0, 3)).shape == (0, 3)
    assert elman.linear_scan(torch.zeros(4, 0), torch.zeros(4, 0)).shape == (4, 0)


def test_other_dtypes_are_run_by_a_loop_with_a_word_about_it():
    half = torch.ones(3, 2, dtype=torch.bfloat16)
    with pytest.warns(elman.FallbackWarning, match="does not compute in torch.bfloat16; so a Python loop"):
        assert_equal(elman.linear_scan(half, half)[-1], torch.full((2,), 3, dtype=torch.bfloat16))


def test_what_does_not_fit_is_refused_in_a_sentence():
    a = torch.zeros(4, 3)
    for arguments, message in (
        ((a, a[:2]), "a and b must be of one shape"),
        ((a, a.double()), "and dtype, got"),
        ((a, a, a), "initial must have the shape of one step"),
        ((a, a, None, a), "reset must be a bool tensor of the leading dimensions"),
    ):
        with pytest.raises(ValueError, match=message):
            elman.linear_scan(*arguments)
