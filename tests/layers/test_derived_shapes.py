"""Parameters of shapes that no program holds are what `derive` makes of them, in the native engine too."""

import pytest
import torch
from tests.tolerance import assert_close

import elman


class LowRank(elman.Cell):
    """A recurrent matrix of rank 2 and a learnt number, as in FastRNN (Kusupati et al. 2018)."""

    gates = ("x",)
    states = ("h",)
    parameters = {"U": ("H", 2), "V": ("H", 2), "alpha": (1,)}  # noqa: RUF012

    def derive(self, weights):
        low_rank, alpha = weights.U @ weights.V.T, weights.alpha.expand(weights.hh.shape[0])
        return weights.replaced(hh=low_rank, alpha=alpha, U=None, V=None)

    def step(self, projected, state, weights):
        (h,) = state
        return (weights.alpha * torch.tanh(projected + weights.recurrent(h)) + 0.9 * h,)


@pytest.mark.native
@pytest.mark.parametrize("lengths", [None, [7, 0, 3]])
def test_a_low_rank_cell_equals_the_reference(lengths):
    layer = elman.Recurrent(LowRank, 4, 6, num_layers=2, bidirectional=True, dtype=torch.float64)
    x = torch.randn(7, 3, 4, dtype=torch.float64)
    assert elman.explain(layer, x).backend == "native"
    found = []
    for name in ("native", "reference"):
        layer.zero_grad()
        with elman.backend(name):
            output, state = layer(x, lengths=lengths)
            (output.sin().sum() + state.square().sum()).backward()
        gradients = [p.grad for key, p in layer.named_parameters() if "weight_hh" not in key]
        found.append((output, state, gradients))
        assert all(gradient is not None for gradient in gradients)
    assert_close(*found)
