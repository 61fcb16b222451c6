"""`elman.scan` runs a cell over given gates: what a loop over its step gives, and a layer behind its projection."""

from dataclasses import dataclass

import pytest
import torch
from tests.tolerance import assert_close, assert_equal
from torch.func import vmap

import elman
from elman.errors import ElmanError, UsageError


@dataclass(frozen=True)
class Memory(elman.Cell):
    """A row of values for each of a few keys.

    S' = a S + σ(k) v * w
    h' = q S'
    """

    keys: int = 3

    gates = ("v",)
    recurrent_gates = ()
    numbers = ("k", "q", "a")

    @property
    def states(self):
        return ("h", *(f"S{n}" for n in range(self.keys)))

    @property
    def parameters(self):
        return {"k": (self.keys, "I"), "q": (self.keys, "I"), "a": (1, "I"), "w": ("H",)}

    def step(self, projected, state, weights):
        K = self.keys
        v, k, q, a = torch.split(projected, [projected.shape[-1] - 2 * K - 1, K, K, 1], -1)
        k, q, v = k.sigmoid().split(1, -1), q.split(1, -1), v * weights.w
        S = [a * state[1 + n] + k[n] * v for n in range(K)]
        return sum(q[n] * S[n] for n in range(K)), *S


class Unread(elman.Cell):
    """One of whose gates nothing reads.

    h' = h / 2 + a
    """

    gates = ("a", "b")
    recurrent_gates = ()
    states = ("h",)

    def step(self, projected, state, weights):
        a, _ = projected.chunk(2, -1)
        return (state[0] / 2 + a,)


CELLS = {"memory": Memory(), "unread": Unread(), "sru": "sru", "mingru": "mingru", "lru": "lru", "s6": "s6"}
STEPS, BATCH, HIDDEN = 6, 3, 5
WAYS = {"plain": {}, "lengths": {"lengths": [6, 0, 4]}, "reset": {"reset": torch.rand(STEPS, BATCH) < 0.4}}


@pytest.fixture(params=CELLS)
def layer(request):
    torch.manual_seed(0)
    return elman.Recurrent(CELLS[request.param], 4, HIDDEN, bias=False, dtype=torch.float64)


def drawn(layer):
    """Gates and numbers as the layer projects its input to them, a state, and its own parameters by name."""
    torch.manual_seed(1)
    cell, ((weights,),) = layer.plain_cell, layer.weights
    x = torch.randn(STEPS, BATCH, 4, dtype=torch.float64)
    projected = cell.project(x, weights).detach().requires_grad_()
    state = tuple(torch.rand(BATCH, HIDDEN, dtype=torch.float64, requires_grad=True) for _ in cell.states)
    own = {name: getattr(layer, f"{name}_l0") for name in cell.parameters if name not in cell.numbers}
    return x, projected, state, own


def with_gradients(run, leaves):
    output, state = run()
    loss = output.sin().sum() + sum(tensor.cos().sum() for tensor in state)
    return [output, *state, *torch.autograd.grad(loss, leaves, materialize_grads=True)]


@pytest.mark.native
@pytest.mark.parametrize("way", WAYS)
def test_it_equals_the_loop(layer, way):
    _, projected, state, own = drawn(layer)

    def run():
        return elman.scan(layer.plain_cell, projected, state, weights=own, **WAYS[way])

    with elman.backend("native"):
        found = with_gradients(run, [projected, *state, *own.values()])
    with elman.backend("reference"):
        expected = with_gradients(run, [projected, *state, *own.values()])
    assert_close(found, expected)


@pytest.fixture
def cut(monkeypatch):
    """Whatever is kept for a gradient counts as large."""
    monkeypatch.setattr("elman.engine.native.pieces.LARGE", 0)


@pytest.mark.native
@pytest.mark.parametrize("way", WAYS)
def test_pieces_of_time_change_nothing(layer, way, monkeypatch):
    _, projected, state, own = drawn(layer)
    leaves = [projected, *state, *own.values()]

    def run():
        return elman.scan(layer.plain_cell, projected, state, weights=own, **WAYS[way])

    expected = with_gradients(run, leaves)
    monkeypatch.setattr("elman.engine.native.pieces.LARGE", 0)
    with elman.backend("native"):
        output, last = run()
    loss = output.sin().sum() + sum(tensor.cos().sum() for tensor in last)
    for keep in (True, False):  # without what was forced
        found = torch.autograd.grad(loss, leaves, materialize_grads=True, retain_graph=keep)
        assert_close([output, *last, *found], expected)


@pytest.mark.native
def test_pieces_of_time_keep_the_states_between_them(cut):
    kept = 0

    def count(tensor):
        nonlocal kept
        kept += tensor.numel()
        return tensor

    projected, own = torch.randn(100, 2, 8 + 7, requires_grad=True), {"w": torch.rand(8)}
    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        output, _ = elman.scan(Memory(), projected, weights=own)
    states = 4 * 2 * 8
    assert kept < projected.numel() + 10 * (states + own["w"].numel()) + 100
    output.sum().backward()


@pytest.mark.native
def test_what_pieces_of_time_read_must_not_be_written_over(cut):
    leaf = torch.randn(9, 2, 4 + 7, requires_grad=True)
    projected = leaf * 1
    output, _ = elman.scan(Memory(), projected, weights={"w": torch.rand(4)})
    with torch.no_grad():
        projected.zero_()
    with pytest.raises(RuntimeError, match="has been modified inplace"):
        output.sum().backward()


@pytest.mark.native
def test_pieces_of_time_take_many_gradients_at_once(cut):
    projected = torch.randn(5, 2, 2 + 7, dtype=torch.float64, requires_grad=True)
    output, _ = elman.scan(Memory(), projected, weights={"w": torch.rand(2, dtype=torch.float64)})
    many = torch.randn(3, *output.shape, dtype=torch.float64)
    (found,) = torch.autograd.grad(output, projected, many, is_grads_batched=True, retain_graph=True)
    assert_close(found, torch.stack([torch.autograd.grad(output, projected, d, retain_graph=True)[0] for d in many]))


def test_it_is_the_layer_behind_its_projection(layer):
    x, projected, state, own = drawn(layer)
    expected, final = layer(x, [tensor.unsqueeze(0) for tensor in state] if len(state) > 1 else state[0].unsqueeze(0))
    output, last = elman.scan(layer.plain_cell, projected, state, weights=own)
    final = final if isinstance(final, tuple) else (final,)
    assert_close([output, *last], [expected, *(tensor.squeeze(0) for tensor in final)])


def test_it_begins_with_zeros_and_may_be_cut_anywhere():
    projected = torch.randn(9, 2, 4 + 7)
    own = {"w": torch.rand(4)}
    whole, last = elman.scan(Memory(), projected, weights=own)
    first, state = elman.scan(Memory(), projected[:4], weights=own)
    rest, end = elman.scan(Memory(), projected[4:], state, weights=own)
    assert_close([torch.cat([first, rest]), *end], [whole, *last])
    with torch.no_grad():
        one, _ = elman.scan(Memory(), projected[4:5], state, weights=own)
    assert_close(one, rest[:1])


@pytest.mark.parametrize("least", [1 << 30, 0], ids=["whole", "in pieces"])
def test_it_differentiates_twice(least, monkeypatch):
    monkeypatch.setattr("elman.engine.native.pieces.LARGE", least)
    projected = torch.randn(4, 2, 2 + 7, dtype=torch.float64, requires_grad=True)
    w = torch.rand(2, dtype=torch.float64, requires_grad=True)

    def run(projected, w):
        output, (h, *_) = elman.scan(Memory(), projected, weights={"w": w})
        return output, h

    assert torch.autograd.gradcheck(run, (projected, w))
    assert torch.autograd.gradgradcheck(run, (projected, w))


@pytest.mark.one_graph
def test_it_compiles_and_maps():
    w = torch.rand(4, dtype=torch.float64)

    def run(projected):
        return elman.scan(Memory(), projected, weights={"w": w})[0]

    compiled = torch.compile(run, fullgraph=True, backend="aot_eager")
    for steps, hidden in ((5, 4), (8, 4), (3, 4)):
        projected = torch.randn(steps, 2, hidden + 7, dtype=torch.float64, requires_grad=True)
        found, expected = compiled(projected), run(projected)
        assert_equal(found, expected)
        arriving = torch.randn_like(expected)
        assert_close(
            torch.autograd.grad(found, projected, arriving), torch.autograd.grad(expected, projected, arriving)
        )
    many = torch.randn(3, 5, 2, 11, dtype=torch.float64)
    assert_close(vmap(run)(many), torch.stack([run(each) for each in many]))


@pytest.mark.one_graph
def test_a_cell_that_was_never_seen_before_is_compiled():
    class Unseen(Unread):
        parameters = {"never_seen": ("H",)}  # noqa: RUF012

        def step(self, projected, state, weights):
            return (super().step(projected, state, weights)[0] * weights.never_seen,)

    x, weights = torch.randn(3, 2, 8), {"never_seen": torch.rand(4)}
    compiled = torch.compile(lambda x: elman.scan(Unseen, x, weights=weights)[0], fullgraph=True, backend="aot_eager")
    assert_equal(compiled(x), elman.scan(Unseen, x, weights=weights)[0])


@pytest.mark.one_graph
def test_sizes_that_no_parameter_tells_are_compiled_for():
    compiled = torch.compile(lambda x: elman.scan(Unread, x)[0], fullgraph=True, backend="aot_eager")
    for hidden in (4, 6, 9):
        x = torch.randn(3, 2, 2 * hidden)
        assert_equal(compiled(x), elman.scan(Unread, x)[0])


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (("lstm", torch.zeros(2, 1, 8)), UsageError, "'lstm' multiplies its state with a matrix; take elman.Recurrent"),
        ((Memory, torch.zeros(2, 1, 9)), UsageError, r"has the parameters \['w'\], got \[\]; give each in weights"),
        ((Memory, torch.zeros(2, 9)), ValueError, r"\(T, B, 1\*H \+ 7\) for the gates .*, got \(2, 9\)"),
        ((Unread, torch.zeros(2, 1, 9)), ValueError, r"\(T, B, 2\*H \+ 0\) for the gates .*, got \(2, 1, 9\)"),
        ((Unread, torch.zeros(2, 1, 8), (torch.zeros(1, 3),)), ValueError, r"\[\(1, 4\)\], got \[\(1, 3\)\]"),
        ((Unread, torch.zeros(2, 1, 8), torch.zeros(1, 4)), ValueError, r"\[\(1, 4\)\], got \[\(4,\)\]"),
        ((Unread, torch.zeros(2, 1, 8), (torch.zeros(1, 4).double(),)), ValueError, "one dtype, got .*float64"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said(arguments, error, text):
    with pytest.raises(error, match=text):
        elman.scan(*arguments)
    with pytest.raises(ValueError, match=r"w must be \(2,\) where H = 2, got \(3,\)"):
        elman.scan(Memory, torch.zeros(2, 1, 9), weights={"w": torch.zeros(3)})


def test_torchs_kernels_do_not_take_it():
    with elman.backend("torch"), pytest.raises(ElmanError, match="project the input themselves"):
        elman.scan(Unread, torch.zeros(2, 1, 8))
