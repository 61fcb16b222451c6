"""What a step may not do is refused by name, file and line; what it may do is said nowhere but in the step."""

import inspect
import math
import operator
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.engine.program.cells import ALL, HIDDEN, make_weights

from elman.cells import Cell, Weights
from elman.engine.program import UntraceableError, compile_cell
from elman.engine.program.algebra import Algebra
from elman.engine.program.contract import Width


def cell_of(function):
    """A cell with two gates and one state whose step is that function of gates, state and weights."""

    class Own(Cell):
        gates = ("a", "b")
        states = ("h",)

        def step(self, projected, state, weights):
            return (function(projected, state[0], weights),)

    return Own()


def compiled(function):
    rows = 2 * HIDDEN
    weights = Weights(torch.empty(rows, 3), torch.empty(rows, HIDDEN), torch.empty(rows), torch.empty(rows))
    return compile_cell(cell_of(function), weights)


def first(projected):
    return projected[:, :HIDDEN]


class Straight(torch.autograd.Function):
    """A sign through which gradients go straight."""

    @staticmethod
    def forward(ctx, value):
        return torch.sign(value)

    @staticmethod
    def backward(ctx, d):
        return d


REFUSED = {
    "torch.cumsum": lambda x, h, w: torch.cumsum(h, -1),
    "A norm of the order 1": lambda x, h, w: h.norm(1, -1, True) * h,
    "is called in a way": lambda x, h, w: torch.round(h, decimals=1),
    "other than along the features": lambda x, h, w: h.softmax(0),
    "torch.add_": lambda x, h, w: h.add_(1),
    "torch.relu_": lambda x, h, w: F.relu(h, inplace=True),
    "torch.dropout": lambda x, h, w: F.dropout(h, 0.5),
    "A branch on a value": lambda x, h, w: h if h.sum(-1, keepdim=True) > 0 else -h,
    "its use as a number": lambda x, h, w: h * math.exp(h),
    "torch.reshape": lambda x, h, w: h.reshape(h.shape[0], 2, -1),
    "torch.new_zeros": lambda x, h, w: h.new_zeros(h.shape[0], HIDDEN) + h,
    "The batch size": lambda x, h, w: h / h.shape[0],
    "A slice of columns 1 to 8": lambda x, h, w: x[:, 1:HIDDEN],
    "An index other than": lambda x, h, w: h[0],
    "An operation on 8 and 16 columns": lambda x, h, w: h + x,
    "neither input, state nor weight": lambda x, h, w: h * torch.ones(HIDDEN),
    "state nor weight": lambda x, h, w: h * torch.tensor(2.0, requires_grad=True),
    "A matmul other than": lambda x, h, w: h @ h,
    "A matmul of 16 features": lambda x, h, w: F.linear(x, w.hh)[:, :HIDDEN],
    "A slice of rows 3 to 8": lambda x, h, w: F.linear(h, w.hh[3:HIDDEN]),
    "along the features with keepdim=True": lambda x, h, w: h - h.mean(0),
    "along dimension 0": lambda x, h, w: torch.cat([h, h])[:, :HIDDEN],
    "over other than all the features": lambda x, h, w: F.layer_norm(x, (HIDDEN,)),
    "A power whose exponent is not a number": lambda x, h, w: h**h,
    "The power 9": lambda x, h, w: h**9,
    "is not a value of that state's size": lambda x, h, w: x,
    "after the step is not a value of that state's size": lambda x, h, w: h > 0,
    "'h' after the step is not a value of that state's size": lambda x, h, w: w.bias_ih[:HIDDEN],
    "torch.div": lambda x, h, w: torch.div(h, 2, rounding_mode="floor"),
    "torch.sub of a comparison": lambda x, h, w: (h > 0) - (h < 0),
    "torch.neg of a comparison": lambda x, h, w: -(h > 0),
    "torch.mean of a comparison": lambda x, h, w: (h > 0).mean(-1, keepdim=True) * h,
    "A multiple of a comparison": lambda x, h, w: torch.add(h > 0, h < 1, alpha=2) * h,
    "The operator & of other than comparisons": lambda x, h, w: (h & first(x)) * h,
    "The operator | of other than comparisons": lambda x, h, w: ((h > 0) | 1) * h,
    "A condition that is no comparison": lambda x, h, w: torch.where(h, first(x), h),
    "A masked_fill of a comparison": lambda x, h, w: (h > 0).masked_fill(h < 1, 1) * h,
    "torch.zeros_like": lambda x, h, w: torch.zeros_like(h, dtype=torch.bool) + h,
    "torch.Tensor.dtype": lambda x, h, w: h if h.dtype == torch.float64 else 2 * h,
    "torch.Tensor.requires_grad": lambda x, h, w: h if h.requires_grad else 2 * h,
    "torch.add_ ": lambda x, h, w: operator.iadd(h, 1),
    "torch.__setitem__": lambda x, h, w: operator.setitem(h, slice(None), 1),
    "A value without its gradient": lambda x, h, w: torch.no_grad()(lambda: h * 2)() * h,
    "A clamp": lambda x, h, w: torch.clamp(h, first(x), h),
    "value @ matrix.T": lambda x, h, w: h @ w.hh[:HIDDEN],
    "An operation on a weight matrix": lambda x, h, w: F.linear(h, w.hh[:HIDDEN] * 2),
    "give eps=1e-6": lambda x, h, w: F.rms_norm(h, (HIDDEN,)),
    "nor is a branch on what it gives": lambda x, h, w: h if h.sum() > 0 else -h,
    "torch.var": lambda x, h, w: h.var(-1, True) * h,
    "ZeroDivisionError": lambda x, h, w: h * (1 / 0),
}


@pytest.mark.parametrize("operation", REFUSED)
def test_what_no_program_contains_is_refused_with_name_and_line(operation):
    with pytest.raises(UntraceableError) as caught:
        compiled(REFUSED[operation])
    assert operation in str(caught.value)
    if "state's size" not in operation:
        assert Path(caught.value.file) == Path(__file__)
        assert caught.value.line == inspect.getsourcelines(REFUSED[operation])[1]


def declared(step=None, **shapes):
    """A cell with further parameters compiled, of H = 8 and I = 3."""
    cell = cell_of(step or (lambda x, h, w: first(x) * h))
    type(cell).parameters = shapes
    weights = cell.shapes(3, HIDDEN).values()
    return compile_cell(cell, cell.bundle(None if shape is None else torch.empty(shape) for shape in weights))


def test_a_matrix_may_have_a_column_for_each_feature_of_the_input():
    assert declared(U=("H", "I")).parameters[-1] == "U"


@pytest.mark.parametrize("shape", [("H", "2H"), ("I",), ("I", "H"), (1,), ("H", 5), (2, "H", "H")])
def test_a_shape_that_no_program_can_hold_is_refused_by_the_name_of_the_parameter(shape):
    with pytest.raises(
        UntraceableError, match=r"The parameter 'U' of shape .* has other rows than a multiple of H.* derive"
    ) as caught:
        declared(U=shape)
    assert caught.value.file is None


def test_a_gradient_of_the_users_own_is_refused():
    with pytest.raises(UntraceableError, match=r"or an autograd.Function.* soft \+ \(hard - soft\).detach\(\)"):
        compiled(lambda x, h, w: Straight.apply(h))


def test_a_step_that_returns_no_tuple_is_refused():
    class Bare(Cell):
        gates, states = ("a", "b"), ("h",)

        def step(self, projected, state, weights):
            return projected

    with pytest.raises(UntraceableError, match="does not return a tuple of 1 states"):
        compile_cell(Bare(), make_weights("Deep"))


def test_constants_may_be_numbers_of_python_numpy_and_torch():
    def numbers(x, h, w):
        return first(x) * 2 + np.float64(0.5) * h - torch.tensor(0.25) + (h + 1) * 0 + True

    program = compiled(numbers).inference
    assert program.operations == 4
    assert program.reals.tolist() == [2.0, 0.0, 0.5, 0.0, 1.0, 0.75]


def test_what_is_computed_twice_is_computed_once():
    once = compiled(lambda x, h, w: (first(x) * h).tanh())
    twice = compiled(lambda x, h, w: ((first(x) * h).tanh() + (h * first(x)).tanh()) / 2)
    assert len(twice.inference.ints) == len(once.inference.ints)


def test_what_nothing_needs_is_not_computed():
    def wasteful(x, h, w):
        w.recurrent(h).exp()
        return first(x).tanh()

    (segment,) = compiled(wasteful).inference.passes
    assert len(segment.products) == 1
    assert len(segment.tiles) == 1


@pytest.mark.parametrize("name", ALL)
def test_compiling_is_deterministic(name):
    extras = ("mask",) if name == "Kept" else ()
    one, other = (compile_cell(ALL[name], make_weights(name), extras=extras) for _ in range(2))
    for kind in ("training", "inference", "backward"):
        assert getattr(one, kind).ints.tolist() == getattr(other, kind).ints.tolist()
        assert getattr(one, kind).reals.tolist() == getattr(other, kind).reals.tolist()


def test_algebra_keeps_signs_and_scalings_out_of_programs():
    graph = Algebra()
    a, b = (graph.leaf("prev", k, Width.H) for k in range(2))
    scalar = graph.apply("row_sum", a)
    neg = graph.apply("neg", b)
    assert graph.apply("add", a, neg) is graph.apply("sub", a, b)
    assert graph.apply("sub", a, neg) is graph.apply("add", b, a)
    assert graph.apply("neg", neg) is b
    assert graph.apply("neg", graph.apply("sub", a, b)) is graph.apply("sub", b, a)
    assert graph.apply("mul", neg, a).op == "neg"
    assert graph.affine(graph.affine(a, 2, 1), 3, 4).data == (6.0, 7.0)
    assert graph.affine(a, 1) is a
    assert graph.affine(a, 0, 5).data == (5.0,)
    assert graph.apply("add", a, a) is graph.affine(a, 2)
    assert graph.apply("add", a, graph.node("spread", (scalar,), Width.H)).op == "row_add"
    assert graph.apply("sub", a, scalar).op == "row_add"
    assert graph.apply("sub", scalar, a).args == (graph.apply("neg", a), scalar)
    assert graph.apply("div", a, scalar).op == "row_mul"
    assert graph.apply("exp", graph.const(0)).data == (1.0,)


@pytest.mark.parametrize(
    "function",
    [
        torch.tanh,
        lambda x: x * 2,
        lambda x: F.layer_norm(x, (3,)),
        lambda x: torch.softmax(x, -1),
        lambda x: x.sum(-1, keepdim=True),
        torch.zeros_like,
    ],
)
def test_the_input_is_seen_through_gates_only(function):
    """As a value it is nowhere: what read it found other memory."""
    cell = cell_of(lambda x, h, w: first(x) * h)
    type(cell).project = lambda self, inputs, weights: weights.project(function(inputs))
    weights = Weights(torch.empty(2 * HIDDEN, 3), torch.empty(2 * HIDDEN, HIDDEN))
    with pytest.raises(UntraceableError, match=r"torch\.\w+ of the input before its projection .* name a gate for it"):
        compile_cell(cell, weights)
