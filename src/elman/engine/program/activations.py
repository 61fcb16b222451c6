"""What the activation functions of torch.nn.functional mean in a step that is being traced.

Each is made of operations of `pointwise.py`, with torch's gradient where two pieces meet.
"""

import math
from collections.abc import Callable
from typing import Any

from elman.engine.program.pointwise import Value, number, pointwise, power
from elman.engine.program.symbol import Symbol
from elman.engine.program.untraceable import UntraceableError


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
        inner = pointwise("mul", pointwise("add", a, pointwise("mul", power(a, 3), 0.044715)), math.sqrt(2 / math.pi))
        gate = pointwise("tanh", inner)
    else:
        gate = pointwise("erf", pointwise("mul", a, math.sqrt(0.5)))
    return pointwise("mul", pointwise("mul", a, 0.5), pointwise("add", gate, 1))


def _logsigmoid(a: Value) -> Symbol:
    return pointwise("neg", pointwise("softplus", pointwise("neg", a)))


def _elu(a: Value, alpha: float = 1.0, inplace: bool = False) -> Symbol:
    _in_place("elu", inplace)
    return _exponential(a, alpha, 1.0)


def _celu(a: Value, alpha: float = 1.0, inplace: bool = False) -> Symbol:
    _in_place("celu", inplace)
    return _exponential(a, alpha, 1 / number(alpha))


def _selu(a: Value, inplace: bool = False) -> Symbol:
    _in_place("selu", inplace)
    return pointwise("mul", _exponential(a, 1.6732632423543772, 1.0), 1.0507009873554805)


def _exponential(a: Value, height: float, slope: float) -> Symbol:
    """What is positive as it is, below that a multiple of e^x - 1; which must not overflow where it is not taken."""
    low = pointwise("mul", pointwise("clamp", a, data=(-math.inf, 0.0)), slope)
    return pointwise("select", pointwise("greater", a, 0), a, pointwise("mul", pointwise("expm1", low), number(height)))


def _mish(a: Value, inplace: bool = False) -> Symbol:
    _in_place("mish", inplace)
    return pointwise("mul", a, pointwise("tanh", pointwise("softplus", a)))


def _prelu(a: Value, weight: Value) -> Symbol:
    return pointwise("select", pointwise("greater", a, 0), a, pointwise("mul", a, weight))


def _softsign(a: Value) -> Symbol:
    return pointwise("div", a, pointwise("add", pointwise("abs", a), 1))


def _relu6(a: Value, inplace: bool = False) -> Symbol:
    return _hardtanh(a, 0.0, 6.0, inplace)


def _hardsigmoid(a: Value, inplace: bool = False) -> Symbol:
    return pointwise("mul", _hardtanh(pointwise("add", a, 3), 0.0, 6.0, inplace), 1 / 6)


def _glu(a: Value, dim: int = -1) -> Symbol:
    if dim not in {-1, a.dim() - 1}:
        raise UntraceableError(f"An operation along dimension {dim}", "is not along the features")
    half = a.columns // 2
    return pointwise("mul", a.cut(0, half), pointwise("sigmoid", a.cut(half, a.columns)))


ACTIVATIONS: dict[str, Callable[..., Any]] = {
    "relu": _relu,
    "leaky_relu": _leaky_relu,
    "silu": _silu,
    "gelu": _gelu,
    "softplus": _softplus,
    **dict.fromkeys(("logsigmoid", "log_sigmoid"), _logsigmoid),
    "hardtanh": _hardtanh,
    "elu": _elu,
    "celu": _celu,
    "selu": _selu,
    "mish": _mish,
    "prelu": _prelu,
    "softsign": _softsign,
    "relu6": _relu6,
    "hardsigmoid": _hardsigmoid,
    "glu": _glu,
}
