"""The pointwise and row operations that programs are made of: code, cost, meaning and how each is printed.

It does not know derivatives (`adjoints.py`) nor which operation of torch becomes which of these (`functions.py`).
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Operation(NamedTuple):
    """One operation of the engine.

    Attributes:
        code: as in docs/engine.md.
        arity: the number of operands that are read.
        cost: nanoseconds for 16 floats in the first-level cache, as measured on Zen 4.
        text: how it is printed; {a} to {e} are operands, {k0} and {k1} immediates.
        evaluate: the meaning, in torch; operands, then immediates. Of the operations that add to a place, what is
            added.

    """

    code: int
    arity: int
    cost: float
    text: str
    evaluate: Callable[..., Tensor]


def _above(a: Tensor, b: Tensor) -> Tensor:
    return ((a > b).to(a.dtype) + (a >= b).to(a.dtype)) / 2


OPERATIONS = {
    "copy": Operation(0, 1, 0.6, "{a}", lambda a: a.clone()),
    "sigmoid": Operation(1, 1, 3.3, "σ({a})", torch.sigmoid),
    "tanh": Operation(2, 1, 4.0, "tanh({a})", torch.tanh),
    "relu": Operation(3, 1, 0.7, "relu({a})", torch.relu),
    "exp": Operation(4, 1, 2.5, "exp({a})", torch.exp),
    "log": Operation(5, 1, 3.0, "log({a})", torch.log),
    "sqrt": Operation(6, 1, 2.5, "√{a}", torch.sqrt),
    "rsqrt": Operation(7, 1, 2.5, "1/√{a}", torch.rsqrt),
    "reciprocal": Operation(8, 1, 2.0, "1/{a}", torch.reciprocal),
    "abs": Operation(9, 1, 0.7, "|{a}|", torch.abs),
    "sign": Operation(10, 1, 0.8, "sign({a})", torch.sign),
    "softplus": Operation(11, 1, 6.0, "softplus({a})", lambda a: a.clamp(min=0) + torch.log1p(torch.exp(-a.abs()))),
    "erf": Operation(12, 1, 6.0, "erf({a})", torch.erf),
    "add": Operation(13, 2, 0.8, "{a} + {b}", torch.add),
    "sub": Operation(14, 2, 0.8, "{a} - {b}", torch.sub),
    "mul": Operation(15, 2, 0.8, "{a} * {b}", torch.mul),
    "div": Operation(16, 2, 2.0, "{a} / {b}", torch.div),
    "maximum": Operation(17, 2, 0.8, "max({a}, {b})", torch.maximum),
    "minimum": Operation(18, 2, 0.8, "min({a}, {b})", torch.minimum),
    "fma": Operation(19, 3, 1.1, "{a} * {b} + {c}", lambda a, b, c: a * b + c),
    "fnma": Operation(20, 3, 1.1, "{c} - {a} * {b}", lambda a, b, c: c - a * b),
    "select": Operation(21, 3, 1.1, "{a} ? {b} : {c}", lambda a, b, c: torch.where(a != 0, b, c)),
    "affine": Operation(22, 1, 0.8, "{a} * {k0} + {k1}", lambda a, k0, k1: a * k0 + k1),
    "clamp": Operation(23, 1, 0.8, "clamp({a}, {k0}, {k1})", lambda a, k0, k1: a.clamp(k0, k1)),
    "fill": Operation(24, 0, 0.5, "{k0}", lambda k0: torch.tensor(k0, dtype=torch.float64)),
    "inside": Operation(25, 1, 0.8, "{k0} ≤ {a} ≤ {k1}", lambda a, k0, k1: ((a >= k0) & (a <= k1)).to(a.dtype)),
    "dsigmoid": Operation(26, 2, 1.1, "{a} * {b} * (1 - {b})", lambda a, b: a * b * (1 - b)),
    "dtanh": Operation(27, 2, 1.1, "{a} * (1 - {b}²)", lambda a, b: a * (1 - b * b)),
    "drelu": Operation(28, 2, 0.8, "{b} > 0 ? {a} : 0", lambda a, b: torch.where(b > 0, a, torch.zeros_like(a))),
    "acc": Operation(29, 1, 0.5, "Σ rows {a}", lambda a: a.sum(0)),
    "acc_dot": Operation(30, 2, 0.7, "Σ rows {a} * {b}", lambda a, b: (a * b).sum(0)),
    "row_sum": Operation(31, 1, 0.6, "Σ columns {a}", lambda a: a.sum(1)),
    "row_dot": Operation(32, 2, 0.8, "Σ columns {a} * {b}", lambda a, b: (a * b).sum(1)),
    "spread": Operation(33, 1, 0.5, "{a}", lambda a: a.clone()),
    "row_add": Operation(34, 2, 0.8, "{a} + {b}", torch.add),
    "row_mul": Operation(35, 2, 0.8, "{a} * {b}", torch.mul),
    "row_fma": Operation(36, 3, 1.1, "{a} * {b} + {c}", lambda a, b, c: a * b + c),
    "row_norm": Operation(37, 3, 1.0, "({a} - {b}) * {c}", lambda a, b, c: (a - b) * c),
    "row_norm_grad": Operation(38, 5, 1.3, "({a} - {c} - {b} * {d}) * {e}", lambda a, b, c, d, e: (a - c - b * d) * e),
    "above": Operation(39, 2, 1.0, "{a} above {b}", _above),
    "greater": Operation(40, 2, 0.8, "{a} > {b}", lambda a, b: (a > b).to(a.dtype)),
    "greater_equal": Operation(41, 2, 0.8, "{a} ≥ {b}", lambda a, b: (a >= b).to(a.dtype)),
    "equal": Operation(42, 2, 0.8, "{a} = {b}", lambda a, b: (a == b).to(a.dtype)),
    "neg": Operation(43, 1, 0.7, "-{a}", torch.neg),
    "sin": Operation(44, 1, 6.0, "sin({a})", torch.sin),
    "cos": Operation(45, 1, 6.0, "cos({a})", torch.cos),
    "row_deviation": Operation(46, 2, 0.9, "Σ columns ({a} + {b})²", lambda a, b: (a + b).square().sum(1)),
    "nearest": Operation(47, 1, 0.9, "nearest({a})", torch.round),
    "expm1": Operation(48, 1, 3.5, "exp({a}) - 1", torch.expm1),
    "log1p": Operation(49, 1, 4.5, "log(1 + {a})", torch.log1p),
    "atan": Operation(50, 1, 6.0, "atan({a})", torch.atan),
    "row_largest": Operation(51, 1, 0.6, "max({a})", lambda a: a.amax(1)),
}

BY_CODE = {operation.code: name for name, operation in OPERATIONS.items()}

ACCUMULATIONS = frozenset({"acc", "acc_dot"})
"""They add to a parameter vector's gradient."""

REDUCTIONS = {"row_sum": 0.0, "row_dot": 0.0, "row_deviation": 0.0, "row_largest": -math.inf}
"""They add to a row scalar, over the columns, or take the larger; and what it is before."""

COMMUTATIVE = frozenset({"add", "mul", "maximum", "minimum", "equal"})

LEAVES = frozenset({"input", "prev", "vector", "const", "dstate", "carry", "extra"})
"""What a graph begins with; nothing computes it."""

assert sorted(BY_CODE) == list(range(len(OPERATIONS)))
