"""Dropout: of elements, or locked with one mask for all time steps; none in eval mode, the expected value kept."""

import pytest
import torch

import elman
from elman.errors import UsageError


def test_elements_are_dropped_one_by_one():
    torch.manual_seed(0)
    dropped = elman.Dropout(0.5)(torch.ones(7, 30, 20))
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert abs(dropped.mean().item() - 1) < 0.1
    assert not torch.equal(dropped[0], dropped[1])


def test_the_mask_is_the_same_at_every_step_and_differs_between_rows():
    torch.manual_seed(0)
    dropped = elman.LockedDropout(0.5)(torch.ones(7, 3, 200))
    assert (dropped == dropped[0]).all()
    assert not torch.equal(dropped[0, 0], dropped[0, 1])
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert abs(dropped.mean().item() - 1) < 0.15


def test_what_it_returns_may_be_written_over():
    value = torch.randn(4, 5, requires_grad=True)
    torch.manual_seed(0)
    (plain,) = torch.autograd.grad(elman.Dropout(0.5)(value).sum(), value)
    torch.manual_seed(0)
    (doubled,) = torch.autograd.grad(elman.Dropout(0.5)(value).mul_(2).sum(), value)
    torch.testing.assert_close(doubled, 2 * plain)


@pytest.mark.parametrize("kind", [elman.Dropout, elman.LockedDropout])
def test_it_is_nothing_in_eval_mode(kind):
    features = torch.ones(2, 3, 4)
    assert kind(0.5).eval()(features) is features


@pytest.mark.parametrize(("kind", "p"), [(elman.Dropout, 1.5), (elman.Dropout, "0.5"), (elman.LockedDropout, 1)])
def test_what_is_no_probability_is_refused(kind, p):
    with pytest.raises(UsageError, match="p="):
        kind(p)
