"""What torch's pointwise functions mean in a step that is being traced.

It makes symbols from symbols; it knows neither differentiation nor programs.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from elman.engine.program.graph import Node
from elman.engine.program.symbol import Matrix, Symbol, Traced
from elman.engine.program.untraceable import UntraceableError

Value = Any
"""A Symbol, or a number."""


def pointwise(op: str, *operands: Value, data: tuple[float, ...] = (), truth: bool = False) -> Symbol:
    """An operation of the engine on the blocks of its operands, which may be numbers or row scalars too.

    `truth` says that what comes of it is true or false.
    """
    if any(isinstance(operand, Matrix) for operand in operands):
        raise UntraceableError("An operation on a weight matrix, other than a matmul,")
    symbols = [operand for operand in operands if isinstance(operand, Symbol)]
    widest = max(symbols, key=lambda symbol: (symbol.columns, symbol.rank))
    graph = widest.graph
    columns = [_blocks(operand, widest) for operand in operands]
    blocks = tuple(graph.apply(op, *nodes, data=data) for nodes in zip(*columns, strict=True))
    blocks = tuple(graph.filled(new, old.width) for new, old in zip(blocks, widest.blocks, strict=True))
    return widest.like(blocks, max(symbol.rank for symbol in symbols), truth=truth)


def number(value: Value) -> float:
    """A number, or what a tensor of one element holds that is not learnt."""
    if isinstance(value, Traced):
        raise UntraceableError("A value in the place of a number", "is nothing that a program can contain")
    if not isinstance(value, torch.Tensor):
        return float(value)
    if value.numel() != 1 or value.requires_grad:
        raise UntraceableError("A tensor that is neither input, state nor weight", "is used")
    return float(value)


def are_truths(*operands: Value) -> bool:
    """Whether all of these are true or false, so that torch takes them for bool and not for numbers."""
    return all(
        isinstance(operand, Symbol) and operand.truth
        if isinstance(operand, Traced)
        else isinstance(operand, bool | np.bool_) or getattr(operand, "dtype", None) is torch.bool
        for operand in operands
    )


def _blocks(operand: Value, like: Symbol) -> tuple[Node, ...]:
    if isinstance(operand, Symbol):
        if operand.columns == 1 and operand.rank == 2:
            return operand.blocks * len(like.blocks)
        if [block.width for block in operand.blocks] != [block.width for block in like.blocks]:
            raise UntraceableError(f"An operation on {operand.columns} and {like.columns} columns")
        return operand.blocks
    return (like.graph.const(number(operand)),) * len(like.blocks)


def _plain(op: str) -> Callable[..., Symbol]:
    def function(*operands: Value) -> Symbol:
        return pointwise(op, *operands)

    return function


def _add(a: Value, b: Value, *, alpha: float = 1) -> Symbol:
    if are_truths(a, b):
        if alpha != 1:
            raise UntraceableError("A multiple of a comparison, added to a comparison,")
        return pointwise("maximum", a, b, truth=True)
    return pointwise("add", a, b if alpha == 1 else pointwise("mul", b, alpha))


def _sub(a: Value, b: Value, *, alpha: float = 1) -> Symbol:
    return pointwise("sub", a, b if alpha == 1 else pointwise("mul", b, alpha))


def _mul(a: Value, b: Value) -> Symbol:
    return pointwise("mul", a, b, truth=are_truths(a, b))


def _pow(a: Value, exponent: Value) -> Symbol:
    if isinstance(exponent, Symbol):
        raise UntraceableError("A power whose exponent is not a number")
    exponent = number(exponent)
    roots = {0.5: "sqrt", -0.5: "rsqrt"}
    if exponent in roots:
        return pointwise(roots[exponent], a)
    if exponent != int(exponent):
        return _broken_power(a, exponent)
    if not 1 <= abs(exponent) <= 8:
        raise UntraceableError(f"The power {exponent:g}")
    base = pointwise("mul", a, 1) if exponent > 0 else pointwise("reciprocal", a)
    power = base
    for _ in range(abs(int(exponent)) - 1):
        power = pointwise("mul", power, base)
    return power


def _broken_power(a: Value, exponent: float) -> Symbol:
    """By a logarithm, which has no gradient at zero; there a constant or a root has that of the power."""
    if exponent < 0:
        return pointwise("exp", pointwise("mul", pointwise("log", a), exponent))
    zero = pointwise("equal", a, 0)
    power = pointwise("exp", pointwise("mul", pointwise("log", pointwise("select", zero, 1, a)), exponent))
    return pointwise("select", zero, 0 if exponent > 1 else pointwise("sqrt", a), power)


def _clamp(a: Value, min: Value = None, max: Value = None) -> Symbol:
    if not isinstance(min, Symbol) and not isinstance(max, Symbol):
        bounds = (-math.inf if min is None else number(min), math.inf if max is None else number(max))
        return pointwise("clamp", a, data=bounds)
    if min is not None and max is not None:
        raise UntraceableError("A clamp between two values")
    beyond = pointwise("greater", *((min, a) if max is None else (a, max)))  # of equals, `a` has all of the gradient
    return pointwise("select", beyond, min if max is None else max, a)


def _hardtanh(a: Value, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Symbol:
    """Unlike `clamp`, no gradient goes through what is at a limit."""
    _in_place("hardtanh", inplace)
    below = pointwise("select", pointwise("greater_equal", a, max_val), max_val, a)
    return pointwise("select", pointwise("greater_equal", min_val, a), min_val, below)


def _softplus(a: Value, beta: float = 1.0, threshold: float = 20.0) -> Symbol:
    scaled = pointwise("mul", a, number(beta))
    smooth = pointwise("mul", pointwise("softplus", scaled), 1 / number(beta))
    if number(threshold) >= 20:  # from there on both are the same to 2e-9
        return smooth
    return pointwise("select", pointwise("greater", scaled, threshold), a, smooth)


def _silu(a: Value, inplace: bool = False) -> Symbol:
    _in_place("silu", inplace)
    return pointwise("mul", a, pointwise("sigmoid", a))


def _relu(a: Value, inplace: bool = False) -> Symbol:
    _in_place("relu", inplace)
    return pointwise("relu", a)


def _leaky_relu(a: Value, negative_slope: float = 0.01, inplace: bool = False) -> Symbol:
    _in_place("leaky_relu", inplace)
    return pointwise("select", pointwise("greater", a, 0), a, pointwise("mul", a, number(negative_slope)))


def _in_place(name: str, inplace: bool) -> None:
    if inplace:
        raise UntraceableError(f"torch.{name}_", "works in place, which a program cannot contain")


def _gelu(a: Value, approximate: str = "none") -> Symbol:
    if approximate == "tanh":
        inner = pointwise("mul", pointwise("add", a, pointwise("mul", _pow(a, 3), 0.044715)), math.sqrt(2 / math.pi))
        gate = pointwise("tanh", inner)
    else:
        gate = pointwise("erf", pointwise("mul", a, math.sqrt(0.5)))
    return pointwise("mul", pointwise("mul", a, 0.5), pointwise("add", gate, 1))


def _logsigmoid(a: Value) -> Symbol:
    return pointwise("neg", pointwise("softplus", pointwise("neg", a)))


def _addcmul(a: Value, b: Value, c: Value, *, value: float = 1) -> Symbol:
    return _add(a, pointwise("mul", b, c), alpha=value)


def _lerp(a: Value, b: Value, weight: Value) -> Symbol:
    return pointwise("add", a, pointwise("mul", weight, pointwise("sub", b, a)))


def _like(constant: float) -> Callable[..., Symbol]:
    def function(value: Symbol) -> Symbol:
        blocks = tuple(value.graph.node("fill", (), block.width, (constant,)) for block in value.blocks)
        return value.like(blocks, truth=value.truth)

    return function


def _same(value: Value) -> Value:
    return value


POINTWISE: dict[str, Callable[..., Any]] = {
    **{op: _plain(op) for op in ("sigmoid", "tanh", "exp", "log", "sqrt", "rsqrt", "reciprocal", "abs", "sign")},
    **{op: _plain(op) for op in ("maximum", "minimum", "neg", "erf", "sin", "cos")},
    **dict.fromkeys(("mul", "multiply"), _mul),
    **dict.fromkeys(("div", "divide", "true_divide"), _plain("div")),
    **dict.fromkeys(("sub", "subtract"), _sub),
    "add": _add,
    "rsub": lambda a, b: _sub(b, a),
    "relu": _relu,
    "leaky_relu": _leaky_relu,
    "silu": _silu,
    "gelu": _gelu,
    "softplus": _softplus,
    **dict.fromkeys(("logsigmoid", "log_sigmoid"), _logsigmoid),
    "square": lambda a: _pow(a, 2),
    "pow": _pow,
    "clamp": _clamp,
    "hardtanh": _hardtanh,
    "addcmul": _addcmul,
    "lerp": _lerp,
    "zeros_like": _like(0.0),
    "ones_like": _like(1.0),
    "contiguous": _same,
    "clone": _same,
}
