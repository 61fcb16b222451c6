"""Parameters of shapes that no program holds are what `derive` makes of them, in the native engine too."""

import pytest
import torch
import torch.nn.functional as F
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


class Widened(elman.Cell):
    """A parameter of two rows, of which `derive` makes a matrix of H: no numbers of each row."""

    gates = ("n",)
    recurrent_gates = ()
    states = ("h",)
    parameters = {"few": (2, "H")}  # noqa: RUF012

    def derive(self, weights):
        return weights.replaced(few=weights.few.T @ weights.few)

    def step(self, projected, state, weights):
        return ((projected + F.linear(state[0], weights.few)).tanh(),)


class Biased(Widened):
    """What two rows make, with a bias, which no program contains."""

    parameters = {"few": (2, "H"), "bias": (2,)}  # noqa: RUF012

    def derive(self, weights):
        return weights

    def step(self, projected, state, weights):
        one, two = F.linear(state[0], weights.few, weights.bias).chunk(2, -1)
        return ((projected * one + two).tanh(),)


@pytest.mark.native
def test_what_is_derived_of_a_few_rows_is_a_matrix_like_others():
    layer, x = elman.Recurrent(Widened, 3, 6).double(), torch.randn(4, 2, 3, dtype=torch.float64)
    assert elman.explain(layer, x).backend == "native"
    found = layer(x)[0]
    with elman.backend("reference"):
        assert_close(found, layer(x)[0])


@pytest.mark.native
def test_a_bias_of_numbers_of_each_row_is_left_to_the_reference():
    layer = elman.Recurrent(Biased, 3, 6)
    with pytest.warns(elman.FallbackWarning, match="cannot be compiled: "):
        layer(torch.randn(4, 2, 3))


@pytest.mark.native
def test_what_is_derived_has_the_weights_precision_under_autocast_too():
    layer, x = elman.Recurrent(LowRank, 4, 6), torch.randn(7, 3, 4)
    stepped, after = layer(x[:1], torch.zeros(1, 3, 6))
    with torch.autocast("cpu", torch.bfloat16):
        assert elman.explain(layer, x).backend == "native"
        layer(x)[0].sum().backward()
        assert layer.stepper(3)(x[0]).dtype is torch.float32
        with torch.no_grad():
            for _ in range(2):  # the second takes the short way
                assert_close(layer(x[:1], torch.zeros(1, 3, 6)), (stepped, after))
    assert layer.U_l0.grad.dtype is torch.float32


class Gained(elman.Cell):
    """A number of each row beside a vector of the features."""

    gates = ("x",)
    recurrent_gates = ()
    states = ("h",)
    numbers = ("w",)
    parameters = {"w": (1, "I"), "v": ("H",)}  # noqa: RUF012

    def step(self, projected, state, weights):
        x, number = projected[:, :-1], projected[:, -1:]
        return (0.5 * state[0] + x + weights.v * number + (number - weights.v) % 2.0,)


@pytest.mark.native
@pytest.mark.parametrize("hidden", [1, 2])
def test_numbers_go_with_vectors_of_one_feature_too(hidden):
    layer, x = elman.Recurrent(Gained, 3, hidden, dtype=torch.float64), torch.randn(5, 2, 3, dtype=torch.float64)
    found = []
    for name in ("native", "reference"):
        with elman.backend(name):
            output, _ = layer(x)
            found.append((output, torch.autograd.grad(output.sin().sum(), list(layer.parameters()))))
    assert_close(*found)
