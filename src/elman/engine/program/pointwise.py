"""What torch's pointwise functions mean in a step that is being traced.

It makes symbols from symbols; it knows neither differentiation nor programs.
"""

import math
from collections.abc import Callable
from typing import Any

import torch

from elman.engine.program.graph import Node
from elman.engine.program.symbol import Symbol
from elman.engine.program.untraceable import UntraceableError

Value = Any
"""A Symbol, or a number."""


def pointwise(op: str, *operands: Value, data: tuple[float, ...] = ()) -> Symbol:
    """An operation of the engine on the blocks of its operands, which may be numbers or row scalars too."""
    symbols = [operand for operand in operands if isinstance(operand, Symbol)]
    widest = max(symbols, key=lambda symbol: (symbol.columns, symbol.rank))
    graph = widest.graph
    columns = [_blocks(operand, widest) for operand in operands]
    blocks = tuple(graph.apply(op, *nodes, data=data) for nodes in zip(*columns, strict=True))
    blocks = tuple(graph.filled(new, old.width) for new, old in zip(blocks, widest.blocks, strict=True))
    return widest.like(blocks, max(symbol.rank for symbol in symbols))


def _blocks(operand: Value, like: Symbol) -> tuple[Node, ...]:
    if isinstance(operand, Symbol):
        if operand.columns == 1 and operand.rank == 2:
            return operand.blocks * len(like.blocks)
        if [block.width for block in operand.blocks] != [block.width for block in like.blocks]:
            raise UntraceableError(f"An operation on {operand.columns} and {like.columns} columns")
        return operand.blocks
    if isinstance(operand, torch.Tensor):
        if operand.numel() != 1 or operand.requires_grad:
            raise UntraceableError("A tensor that is neither input, state nor weight", "is used")
        operand = operand.item()
    return (like.graph.const(operand),) * len(like.blocks)


def _plain(op: str) -> Callable[..., Symbol]:
    def function(*operands: Value) -> Symbol:
        return pointwise(op, *operands)

    return function


def _add(a: Value, b: Value, *, alpha: float = 1) -> Symbol:
    return pointwise("add", a, b if alpha == 1 else pointwise("mul", b, alpha))


def _sub(a: Value, b: Value, *, alpha: float = 1) -> Symbol:
    return pointwise("sub", a, b if alpha == 1 else pointwise("mul", b, alpha))


def _pow(a: Value, exponent: Value) -> Symbol:
    if isinstance(exponent, Symbol):
        raise UntraceableError("A power whose exponent is not a number")
    roots = {0.5: "sqrt", -0.5: "rsqrt", -1: "reciprocal"}
    if exponent in roots:
        return pointwise(roots[exponent], a)
    if exponent == int(exponent):
        if not 1 <= abs(exponent) <= 8:
            raise UntraceableError(f"The power {exponent}")
        power = pointwise("mul", a, 1)
        for _ in range(abs(int(exponent)) - 1):
            power = pointwise("mul", power, a)
        return power if exponent > 0 else pointwise("reciprocal", power)
    return pointwise("exp", pointwise("mul", pointwise("log", a), exponent))


def _clamp(a: Value, min: Value = None, max: Value = None) -> Symbol:
    if isinstance(min, Symbol) or isinstance(max, Symbol):
        a = a if min is None else pointwise("maximum", a, min)
        return a if max is None else pointwise("minimum", a, max)
    return pointwise(
        "clamp", a, data=(-math.inf if min is None else float(min), math.inf if max is None else float(max))
    )


def _hardtanh(a: Value, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Symbol:
    _in_place("hardtanh", inplace)
    return _clamp(a, min_val, max_val)


def _softplus(a: Value, beta: float = 1.0, threshold: float = 20.0) -> Symbol:  # noqa: ARG001 - exact beyond it too
    return pointwise("mul", pointwise("softplus", pointwise("mul", a, beta)), 1 / beta)


def _silu(a: Value, inplace: bool = False) -> Symbol:
    _in_place("silu", inplace)
    return pointwise("mul", a, pointwise("sigmoid", a))


def _relu(a: Value, inplace: bool = False) -> Symbol:
    _in_place("relu", inplace)
    return pointwise("relu", a)


def _leaky_relu(a: Value, negative_slope: float = 0.01, inplace: bool = False) -> Symbol:
    _in_place("leaky_relu", inplace)
    return pointwise("maximum", a, pointwise("mul", a, negative_slope))


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


def _where(condition: Value, a: Value, b: Value) -> Symbol:
    return pointwise("select", condition, a, b)


def _masked_fill(a: Value, mask: Value, value: Value) -> Symbol:
    return pointwise("select", mask, value, a)


def _addcmul(a: Value, b: Value, c: Value, *, value: float = 1) -> Symbol:
    return _add(a, pointwise("mul", b, c), alpha=value)


def _lerp(a: Value, b: Value, weight: Value) -> Symbol:
    return pointwise("add", a, pointwise("mul", weight, pointwise("sub", b, a)))


def _like(constant: float) -> Callable[..., Symbol]:
    def function(value: Symbol, **_: Any) -> Symbol:
        return value.like(tuple(value.graph.node("fill", (), block.width, (constant,)) for block in value.blocks))

    return function


def _same(value: Value, *_: Any, **__: Any) -> Value:
    return value


POINTWISE: dict[str, Callable[..., Any]] = {
    **{op: _plain(op) for op in ("sigmoid", "tanh", "exp", "log", "sqrt", "rsqrt", "reciprocal", "abs", "sign")},
    **{op: _plain(op) for op in ("maximum", "minimum", "neg", "erf", "sin", "cos")},
    **dict.fromkeys(("mul", "multiply"), _plain("mul")),
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
    "gt": _plain("greater"),
    "ge": _plain("greater_equal"),
    "lt": lambda a, b: pointwise("greater", b, a),
    "le": lambda a, b: pointwise("greater_equal", b, a),
    "eq": _plain("equal"),
    "logical_not": lambda a: pointwise("sub", 1, a),
    "logical_and": _plain("mul"),
    "logical_or": _plain("maximum"),
    "where": _where,
    "masked_fill": _masked_fill,
    "zeros_like": _like(0.0),
    "ones_like": _like(1.0),
    "contiguous": _same,
    "clone": _same,
}
