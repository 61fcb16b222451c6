"""`selective_scan` in what PyTorch puts around a function: compilers, exporters, transformations; changes in place."""

import pytest
import torch
import torch.nn.functional as F
from tests.tolerance import assert_close
from torch.func import jacrev, vmap

import elman
from elman.engine.native import selective


@pytest.fixture(autouse=True)
def _however_short(monkeypatch):
    """The engine runs what a loop would be faster with."""
    monkeypatch.setattr("elman.engine.selective.SHORT", 0)


def drawn(steps, batch=2, count=3):
    """u, delta, A, B and C of six features."""
    torch.manual_seed(0)
    u, delta = torch.randn(2, batch, 6, steps, dtype=torch.float64)
    B, C = torch.randn(2, batch, count, steps, dtype=torch.float64)
    return [each.requires_grad_() for each in (u, delta, -torch.rand(6, count, dtype=torch.float64), B, C)]


class Module(torch.nn.Module):
    """One that has A, and takes the rest from its input."""

    def __init__(self):
        super().__init__()
        self.A = torch.nn.Parameter(-torch.rand(6, 3, dtype=torch.float64))

    def forward(self, u):
        return elman.selective_scan(u, u, self.A, u[:, :3], u[:, 3:], delta_softplus=True)


def test_lengths_are_compiled_once():
    """Of whatever length, with and without gradients."""
    graphs = []

    def counting(graph, _):
        graphs.append(graph)
        return graph

    compiled = torch.compile(elman.selective_scan, dynamic=True, fullgraph=True, backend=counting)
    for steps in (5, 12, 7, 33):
        given = drawn(steps)
        assert_close(compiled(*given), elman.selective_scan(*given))
    assert len(graphs) == 1


def test_it_is_exported_for_any_length():
    module, size = Module(), torch.export.Dim("length", min=2, max=100_000)
    program = torch.export.export(module, (drawn(9)[0].detach(),), dynamic_shapes=({2: size},))
    u = drawn(40)[0].detach()
    assert_close(program.module()(u), module(u))


def test_what_is_compiled_differentiates_twice():
    given = drawn(5)

    def twice(scan):
        (first,) = torch.autograd.grad(scan(*given).square().sum(), given[0], create_graph=True)
        return torch.autograd.grad(first.square().sum(), given)

    compiled = torch.compile(elman.selective_scan, fullgraph=True, backend="eager")
    assert_close(list(twice(compiled)), list(twice(elman.selective_scan)))


@pytest.mark.filterwarnings("ignore:.torch.jit")
@pytest.mark.filterwarnings("ignore:what is exported has to run without:elman.FallbackWarning")
def test_it_is_traced_without_a_warning_about_sizes():
    module, u = Module(), drawn(5)[0].detach()
    assert_close(torch.jit.trace(module, u)(2 * u), module(2 * u))


def test_it_maps_without_gradients_and_has_jacobians():
    u, delta, A, B, C = (each.detach() for each in drawn(5))
    many = torch.stack([u, 2 * u])
    reset = torch.rand(2, 2, 5) < 0.3
    found = vmap(lambda u, reset: elman.selective_scan(u, delta, A, B, C, reset=reset))(many, reset)
    assert_close(found[1], elman.selective_scan(2 * u, delta, A, B, C, reset=reset[1]))

    def of_a(A):
        return elman.selective_scan(u, delta, A, B, C)

    assert_close(jacrev(of_a)(A), torch.autograd.functional.jacobian(of_a, A))


def test_results_may_be_changed_in_place():
    """Such as are large enough to lie in memory of the engine's own."""
    given, gate = drawn(20, batch=64), torch.randn(64, 6, 20, dtype=torch.float64)
    y, states = elman.selective_scan(*given, return_last_state=True)
    y *= F.silu(gate)
    states += 1
    expected = torch.autograd.grad(elman.selective_scan(*given, z=gate).sum(), given)
    assert_close(torch.autograd.grad(y.sum(), given), expected)


@pytest.mark.parametrize("k", range(5))
def test_what_was_given_may_not_be_changed_before_the_way_back_unless_it_was_copied(k):
    leaves = drawn(5)
    expected = torch.autograd.grad(elman.selective_scan(*leaves).sum(), leaves)
    given = [leaf * 1 for leaf in leaves]
    y = elman.selective_scan(*given)
    with torch.no_grad():
        given[k] *= 2
    assert_close(torch.autograd.grad(y.sum(), leaves), expected)
    given = [
        leaf.permute(2, 0, 1).contiguous().permute(1, 2, 0) if leaf.dim() == 3 else leaf.T.contiguous().T
        for leaf in leaves
    ]
    y = elman.selective_scan(*given)
    with torch.no_grad():
        given[k] *= 2
    if k < 3:  # B and C are put together
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            torch.autograd.grad(y.sum(), leaves)


def test_of_many_rows_only_some_states_are_kept(monkeypatch):
    """A step of 100 rows has more states than are wanted in memory, and yet not every step's are kept."""
    monkeypatch.setattr(selective, "KEPT", 1)
    given, kept = drawn(64, batch=100), []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor.numel()) or tensor, lambda t: t):
        elman.selective_scan(*given)
    states = 100 * 6 * 3
    assert sum(kept) < (64 / selective.LEAST + 2) * states + sum(each.numel() for each in given) + 100
