"""What torch's pointwise functions mean in a step that is being traced.

It makes symbols from symbols; it knows neither differentiation nor programs.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from elman.engine.program.contract import Width
from elman.engine.program.graph import Node
from elman.engine.program.symbol import Matrix, Symbol, Traced
from elman.engine.program.untraceable import UntraceableError

Value = Any
"""A Symbol, or a number."""

OPEN = tuple(map(int, torch.__version__.split(".")[:2])) < (2, 14)
"""Whether a gradient goes through what is at a limit of torch's `clamp`: from torch 2.14 on, none does."""


def pointwise(op: str, *operands: Value, data: tuple[float, ...] = (), truth: bool = False) -> Symbol:
    """An operation of the engine on the blocks of its operands, which may be numbers or row scalars too.

    `truth` says that what comes of it is true or false.
    """
    if any(isinstance(operand, Matrix) for operand in operands):
        raise UntraceableError("An operation on a weight matrix, other than a matmul,")
    symbols = [operand for operand in operands if isinstance(operand, Symbol)]
    widest = max(symbols, key=lambda symbol: (symbol.columns, symbol.blocks[0].width is not Width.ONE, symbol.rank))
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


def power(a: Value, exponent: Value) -> Symbol:
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


def _clamp(a: Value, min: Value = None, max: Value = None) -> Value:
    if not isinstance(min, Symbol) and not isinstance(max, Symbol):
        return _between(a, -math.inf if min is None else number(min), math.inf if max is None else number(max))
    if min is not None and max is not None:
        raise UntraceableError("A clamp between two values")
    if not OPEN:
        return pointwise("maximum", a, min) if max is None else pointwise("minimum", a, max)
    beyond = pointwise("greater", *((min, a) if max is None else (a, max)))  # of equals, `a` has all of the gradient
    return pointwise("select", beyond, min if max is None else max, a)


def _between(a: Value, least: float, most: float) -> Value:
    if OPEN:
        return pointwise("clamp", a, data=(least, most))
    if least > -math.inf:
        a = pointwise("select", pointwise("greater_equal", least, a), least, a)
    return pointwise("select", pointwise("greater_equal", a, most), most, a) if most < math.inf else a


def _addcmul(a: Value, b: Value, c: Value, *, value: float = 1) -> Symbol:
    return _add(a, pointwise("mul", b, c), alpha=value)


def _lerp(a: Value, b: Value, weight: Value) -> Symbol:
    return pointwise("add", a, pointwise("mul", weight, pointwise("sub", b, a)))


def _logaddexp(a: Value, b: Value) -> Symbol:
    apart = pointwise("abs", pointwise("sub", a, b))
    return pointwise("add", pointwise("maximum", a, b), pointwise("softplus", pointwise("neg", apart)))


def _floor(a: Value) -> Symbol:
    nearest = pointwise("nearest", a)
    return pointwise("sub", nearest, pointwise("greater", nearest, a))


def _remainder(a: Value, b: Value) -> Symbol:
    """With the sign of b. The quotient may have been rounded to a whole number beside the right one."""

    def rest(whole: Symbol) -> Symbol:
        return pointwise("sub", a, pointwise("mul", whole, b))

    whole = _floor(pointwise("div", a, b))
    over = pointwise("mul", rest(whole), b)
    below, above = pointwise("greater", 0, over), pointwise("greater_equal", over, _square(b))
    return rest(pointwise("sub", pointwise("add", whole, above), below))


def _square(b: Value) -> Value:
    return pointwise("mul", b, b) if isinstance(b, Symbol) else number(b) ** 2


def _detach(a: Value) -> Symbol:
    """A copy, which hands no gradient on."""
    return pointwise("copy", a, truth=are_truths(a))


def _like(constant: float) -> Callable[..., Symbol]:
    def function(value: Symbol) -> Symbol:
        blocks = tuple(value.graph.node("fill", (), block.width, (constant,)) for block in value.blocks)
        return value.like(blocks, truth=value.truth)

    return function


def _same(value: Value) -> Value:
    return value


POINTWISE: dict[str, Callable[..., Any]] = {
    **{op: _plain(op) for op in ("sigmoid", "tanh", "exp", "log", "sqrt", "rsqrt", "reciprocal", "abs", "sign")},
    **{op: _plain(op) for op in ("expm1", "log1p", "atan")},
    **{op: _plain(op) for op in ("maximum", "minimum", "neg", "erf", "sin", "cos")},
    **dict.fromkeys(("mul", "multiply"), _mul),
    **dict.fromkeys(("div", "divide", "true_divide"), _plain("div")),
    **dict.fromkeys(("sub", "subtract"), _sub),
    "add": _add,
    "rsub": lambda a, b: _sub(b, a),
    "square": lambda a: power(a, 2),
    "pow": power,
    "clamp": _clamp,
    "addcmul": _addcmul,
    "lerp": _lerp,
    "zeros_like": _like(0.0),
    "ones_like": _like(1.0),
    "logaddexp": _logaddexp,
    "round": _plain("nearest"),
    "floor": _floor,
    "ceil": lambda a: pointwise("neg", _floor(pointwise("neg", a))),
    "trunc": lambda a: pointwise("mul", pointwise("sign", a), _floor(pointwise("abs", a))),
    "remainder": _remainder,
    "detach": _detach,
    "expand_as": lambda a, other: pointwise("add", a, _like(0.0)(other)) if a.columns < other.columns else a,
    "contiguous": _same,
    "clone": _same,
}
