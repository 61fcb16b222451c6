"""Random zeros: as many as asked for, the same on every instruction set, and differentiable."""

import pytest
import torch
from tests.tolerance import assert_close, assert_equal
from torch.nn import functional as F

from elman.engine import backend, drop
from elman.engine.native import library

native = pytest.mark.skipif(library() is None, reason="the native engine is not built")


def test_dropout_zeroes_a_share_and_keeps_the_mean():
    value = torch.linspace(0.5, 1.5, 120_000).view(50, 40, 60)
    torch.manual_seed(0)
    found = drop.dropout(value, 0.3)
    dropped = found == 0
    assert abs(dropped.float().mean() - 0.3) < 0.005
    assert_close(found[~dropped], (value / 0.7)[~dropped])
    assert not torch.equal(drop.dropout(value, 0.3) == 0, dropped)
    torch.manual_seed(0)
    assert_equal(drop.dropout(value, 0.3), found)


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 16_384, 16_385, 100_000])
def test_a_mask_holds_zeros_and_one_other_number(size):
    torch.manual_seed(size)
    like = torch.empty(0, dtype=torch.float64)
    assert set(drop.keep((size,), 0.25, like, scaled=True).tolist()) <= {0.0, 1 / 0.75}
    assert set(drop.keep((size,), 0.25, like, scaled=False).tolist()) <= {0.0, 1.0}


@native
def test_zeros_do_not_depend_on_threads_on_the_type_of_number_or_on_what_is_dropped():
    found = []
    before = torch.get_num_threads()
    try:
        for threads, dtype in [(1, torch.float32), (2, torch.float32), (2, torch.float64)]:
            torch.set_num_threads(threads)
            torch.manual_seed(1)
            found.append(drop.keep((100_003,), 0.4, torch.empty(0, dtype=dtype), scaled=False).float())
            torch.manual_seed(1)
            found.append(drop.dropout(torch.ones(100_003, dtype=dtype), 0.4).ne(0).float())
    finally:
        torch.set_num_threads(before)
    for each in found[1:]:
        assert_equal(each, found[0])


@native
def test_neighbours_and_seeds_do_not_know_of_each_other():
    torch.manual_seed(2)
    size = 1 << 20
    first, second = (drop.keep((size,), 0.5, torch.empty(0), scaled=True) - 1 for _ in range(2))
    for lag in (1, 2, 4, 16, 64, 16_384):
        assert abs((first[lag:] * first[:-lag]).mean()) < 5 / size**0.5
    assert abs((first * second).mean()) < 5 / size**0.5
    assert first.view(-1, 64).mean(0).abs().max() < 5 / (size / 64) ** 0.5


def test_gradients_have_the_same_zeros_once_and_twice():
    value = torch.randn(7, 5, dtype=torch.float64, requires_grad=True)

    def dropped(value):
        torch.manual_seed(3)
        return drop.dropout(value, 0.5)

    (gradient,) = torch.autograd.grad(dropped(value).sum(), value)
    assert_equal(gradient != 0, dropped(value) != 0)
    assert torch.autograd.gradcheck(dropped, value)
    assert torch.autograd.gradgradcheck(dropped, value)
    rows = torch.autograd.grad(dropped(value), value, torch.ones(3, 7, 5).double(), is_grads_batched=True)[0]
    assert_equal(rows, gradient.expand(3, -1, -1))


@pytest.mark.filterwarnings("ignore:.torch.jit")  # torch's own, for jvp
def test_it_goes_where_the_runtime_cannot_be_seen():
    value = torch.rand(6, 5) + 1
    for found in (
        torch.func.vmap(lambda x: drop.dropout(x, 0.5), randomness="different")(value),
        torch.func.grad(lambda x: drop.dropout(x, 0.5).sum())(value),
        torch.func.jvp(lambda x: drop.dropout(x, 0.5), (value,), (value,))[1],
        drop.dropout(value.bfloat16(), 0.5),
        drop.dropout(value.t(), 0.5).t(),
    ):
        assert found.shape == value.shape
        assert 0 < (found == 0).sum() < value.numel()


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_nothing_or_everything(rate):
    value = torch.randn(4, 5)
    assert_equal(drop.dropout(value, rate), value * (1 - rate))


def test_torchs_own_draws_where_its_backend_is_forced():
    value = torch.randn(4, 5)
    with backend("torch"):
        torch.manual_seed(4)
        found = drop.dropout(value, 0.5)
    torch.manual_seed(4)
    assert_equal(found, F.dropout(value, 0.5))
