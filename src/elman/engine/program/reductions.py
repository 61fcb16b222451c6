"""What torch's sums, means, variances and normalisations over features mean in a step that is being traced."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from elman.engine.program.algebra import Algebra
from elman.engine.program.contract import Width
from elman.engine.program.graph import Node
from elman.engine.program.pointwise import Value, number, pointwise
from elman.engine.program.symbol import Symbol
from elman.engine.program.untraceable import UntraceableError


def _row_sum(value: Symbol) -> Node:
    return value.graph.total([_block_sum(value, block) for block in value.blocks])


def _block_sum(value: Symbol, block: Node) -> Node:
    if block.width is Width.ONE:
        return block
    if block.op == "fill":
        return value.graph.apply("mul", block, value.graph.const(value.sizes[block.width]))
    return value.graph.apply("row_sum", block)


def _row(function: Callable[..., Node]) -> Callable[..., Symbol]:
    def reduction(value: Symbol, dim: Any = None, keepdim: bool = False, **options: Any) -> Symbol:
        dims = list(dim) if isinstance(dim, (tuple, list)) else [dim]
        if dims not in ([-1], [value.dim() - 1]) or keepdim is not True:
            raise UntraceableError(
                "A reduction other than along the features with keepdim=True",
                "is nothing that a program can contain, nor is a branch on what it gives",
            )
        return value.like((function(value, **options),), 2)

    return reduction


def _var(value: Value, dim: Any = None, **options: Any) -> Symbol:
    """torch's third operand in order is not `keepdim` here."""
    return _row(_row_var)(value, dim, **options)


def _row_mean(value: Symbol) -> Node:
    return value.graph.affine(_row_sum(value), 1 / value.columns)


def _squares(value: Symbol, blocks: Sequence[Node]) -> Node:
    """The sum of the squares of blocks as wide as those of a value."""
    return value.graph.total([_block_squares(value, *pair) for pair in zip(blocks, value.blocks, strict=True)])


def _block_squares(value: Symbol, block: Node, like: Node) -> Node:
    if block.op not in {"fill", "const"} and block.width is not Width.ONE:
        return value.graph.apply("row_dot", block, block)
    square = value.graph.apply("mul", block, block)
    return value.graph.apply("mul", square, value.graph.const(value.sizes[like.width]))


def _row_var(value: Symbol, correction: int = 1, unbiased: bool = True) -> Node:
    graph, mean = value.graph, _row_mean(value)
    centred = [graph.apply("sub", block, mean) for block in value.blocks]
    return graph.affine(_squares(value, centred), 1 / (value.columns - (correction if unbiased else 0)))


def _root(graph: Algebra, value: Node) -> Node:
    """The root of a number of each row, with no gradient where it is zero, as torch has it for norms."""
    zero, nothing, one = graph.apply("equal", value, graph.const(0)), graph.const(0), graph.const(1)
    return graph.apply("select", zero, nothing, graph.apply("sqrt", graph.apply("select", zero, one, value)))


def _std(value: Value, dim: Any = None, **options: Any) -> Symbol:
    return _row(lambda value, **options: _root(value.graph, _row_var(value, **options)))(value, dim, **options)


def _norm(value: Value, p: Any = 2, dim: Any = None, keepdim: bool = False, **_: Any) -> Symbol:
    if p not in {None, 2, "fro"}:
        raise UntraceableError(f"A norm of the order {p}", "is none that a program can contain; 2 is")
    return _row(lambda value: _root(value.graph, _squares(value, value.blocks)))(value, dim, keepdim)


def _normalize(value: Value, p: float = 2.0, dim: int = 1, eps: float = 1e-12, **_: Any) -> Symbol:
    size = pointwise("clamp", _norm(value, p, dim, True), data=(number(eps), math.inf))
    return pointwise("div", value, size)


def _row_largest(value: Symbol) -> Node:
    graph, (first, *rest) = value.graph, [_block_largest(value, block) for block in value.blocks]
    for block in rest:
        first = graph.apply("maximum", first, block)
    return first


def _block_largest(value: Symbol, block: Node) -> Node:
    if block.width is Width.ONE:
        return block
    return value.graph.const(block.data[0]) if block.op == "fill" else value.graph.apply("row_largest", block)


def _amin(value: Value, dim: Any = None, keepdim: bool = False) -> Symbol:
    return pointwise("neg", _row(_row_largest)(pointwise("neg", value), dim, keepdim))


def _softmax(value: Value, dim: int, **_: Any) -> Symbol:
    exponentials, total = _exponentials(value, dim)[1:]
    return pointwise("div", exponentials, total)


def _log_softmax(value: Value, dim: int, **__: Any) -> Symbol:
    less, _, total = _exponentials(value, dim)
    return pointwise("sub", less, pointwise("log", total))


def _exponentials(value: Symbol, dim: int) -> tuple[Symbol, Symbol, Symbol]:
    """A value less the largest of its row, which counts as constant; e to the power of it, and the sum of that."""
    largest = pointwise("copy", _row(_row_largest)(value, dim, True))
    less = pointwise("sub", value, largest)
    exponentials = pointwise("exp", less)
    return less, exponentials, _row(_row_sum)(exponentials, dim, True)


def _layer_norm(
    value: Value, normalized_shape: Sequence[int], weight: Value = None, bias: Value = None, eps: float = 1e-5, *_: Any
) -> Symbol:
    if tuple(normalized_shape) != (value.columns,) or len(set(value.blocks)) < len(value.blocks):
        raise UntraceableError("A layer_norm over other than all the features of its input, each once,")
    graph, mean = value.graph, _row_mean(value)
    spread = graph.apply("rsqrt", graph.affine(_row_var(value, 0), 1, eps))
    result = value.like(tuple(graph.node("row_norm", (b, mean, spread), b.width) for b in value.blocks))
    return _scaled(result, weight, bias)


def _rms_norm(value: Value, normalized_shape: Sequence[int], weight: Value = None, eps: float | None = None) -> Symbol:
    if tuple(normalized_shape) != (value.columns,):
        raise UntraceableError("An rms_norm over other than all the features of its input")
    if eps is None:
        raise UntraceableError("An rms_norm without eps", "has one that depends on the dtype; give eps=1e-6 or another")
    graph = value.graph
    mean_square = graph.affine(_squares(value, value.blocks), 1 / value.columns, eps)
    scale = graph.apply("rsqrt", mean_square)
    return _scaled(pointwise("mul", value, value.like((scale,))), weight, None)


def _scaled(value: Symbol, weight: Value, bias: Value) -> Symbol:
    value = value if weight is None else pointwise("mul", value, weight)
    return value if bias is None else pointwise("add", value, bias)


REDUCTIONS: dict[str, Callable[..., Any]] = {
    "sum": _row(_row_sum),
    "mean": _row(_row_mean),
    "var": _var,
    "std": _std,
    **dict.fromkeys(("norm", "linalg_vector_norm", "linalg_norm"), _norm),
    "normalize": _normalize,
    "amax": _row(_row_largest),
    "amin": _amin,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "layer_norm": _layer_norm,
    "rms_norm": _rms_norm,
}
