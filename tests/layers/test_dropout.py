"""Locked dropout: one mask for all time steps, none in eval mode, the expected value kept."""

import torch

from elman.layers import LockedDropout


def test_the_mask_is_the_same_at_every_step_and_differs_between_rows():
    torch.manual_seed(0)
    dropped = LockedDropout(0.5)(torch.ones(7, 3, 200))
    assert (dropped == dropped[0]).all()
    assert not torch.equal(dropped[0, 0], dropped[0, 1])
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert abs(dropped.mean().item() - 1) < 0.15


def test_it_is_nothing_in_eval_mode():
    features = torch.ones(2, 3, 4)
    assert LockedDropout(0.5).eval()(features) is features
