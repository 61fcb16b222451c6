"""What comparisons, and what is done with true and false, mean in a step that is being traced.

True is 1 and false is 0, as in torch's bool: a symbol that `truth` marks.
"""

from collections.abc import Callable
from typing import Any

from elman.engine.program.pointwise import Value, are_truths, pointwise
from elman.engine.program.symbol import Symbol
from elman.engine.program.untraceable import UntraceableError


def _compared(op: str, a: Value, b: Value) -> Symbol:
    return pointwise(op, a, b, truth=True)


def _not(a: Value) -> Symbol:
    return pointwise("sub", 1, a, truth=True)


def _unequal(a: Value, b: Value) -> Symbol:
    return _not(_compared("equal", a, b))


def _truth(value: Value) -> Value:
    """Whether something is not zero."""
    return value if are_truths(value) or not isinstance(value, Symbol) else _unequal(value, 0)


def _and(a: Value, b: Value) -> Symbol:
    return pointwise("mul", a, b, truth=True)


def _or(a: Value, b: Value) -> Symbol:
    return pointwise("maximum", a, b, truth=True)


def _logical(function: Callable[..., Symbol]) -> Callable[..., Symbol]:
    """Of numbers too."""
    return lambda *operands: function(*map(_truth, operands))


def _bitwise(function: Callable[..., Symbol], sign: str) -> Callable[..., Symbol]:
    """Of comparisons only."""

    def checked(*operands: Value) -> Symbol:
        if not are_truths(*operands):
            raise UntraceableError(f"The operator {sign} of other than comparisons")
        return function(*operands)

    return checked


def _condition(value: Value) -> Value:
    if not isinstance(value, Symbol) or not value.truth:
        raise UntraceableError("A condition that is no comparison")
    return value


def _where(condition: Value, a: Value, b: Value) -> Symbol:
    return pointwise("select", _condition(condition), a, b, truth=are_truths(a, b))


def _masked_fill(a: Value, mask: Value, value: Value) -> Symbol:
    if are_truths(a) or isinstance(value, Symbol):
        raise UntraceableError("A masked_fill of a comparison, or with other than a number,")
    return pointwise("select", _condition(mask), value, a)


TRUTHS: dict[str, Callable[..., Any]] = {
    "gt": lambda a, b: _compared("greater", a, b),
    "ge": lambda a, b: _compared("greater_equal", a, b),
    "lt": lambda a, b: _compared("greater", b, a),
    "le": lambda a, b: _compared("greater_equal", b, a),
    "eq": lambda a, b: _compared("equal", a, b),
    "ne": _unequal,
    "logical_not": _logical(_not),
    "logical_and": _logical(_and),
    "logical_or": _logical(_or),
    "logical_xor": _logical(_unequal),
    "bitwise_not": _bitwise(_not, "~"),
    "bitwise_and": _bitwise(_and, "&"),
    "bitwise_or": _bitwise(_or, "|"),
    "bitwise_xor": _bitwise(_unequal, "^"),
    "where": _where,
    "masked_fill": _masked_fill,
}
