"""What torch's sums, means, variances and normalisations over features mean in a step that is being traced."""

from collections.abc import Callable, Sequence
from typing import Any

from elman.engine.program.algebra import Algebra
from elman.engine.program.contract import Width
from elman.engine.program.graph import Node
from elman.engine.program.pointwise import pointwise
from elman.engine.program.symbol import Symbol
from elman.engine.program.untraceable import UntraceableError

Value = Any
"""A Symbol, or a number."""


def _row_sum(value: Symbol) -> Node:
    return value.graph.total([_block_sum(value, block) for block in value.blocks])


def _block_sum(value: Symbol, block: Node) -> Node:
    if block.width is Width.ONE:
        return block
    if block.op == "fill":
        return value.graph.apply("mul", block, value.graph.const(value.sizes[block.width]))
    return value.graph.apply("row_sum", block)


def _row(function: Callable[..., Node]) -> Callable[..., Symbol]:
    def reduction(value: Value, dim: Any = None, keepdim: bool = False, **options: Any) -> Symbol:
        dims = list(dim) if isinstance(dim, (tuple, list)) else [dim]
        if dims not in ([-1], [value.dim() - 1]) or keepdim is not True:
            raise UntraceableError(
                "A reduction other than along the features with keepdim=True",
                "is nothing that a program can contain, nor is a branch on what it gives",
            )
        return value.like((function(value, **options),), 2)  # type: ignore[no-any-return]

    return reduction


def _var(value: Value, dim: Any = None, **options: Any) -> Symbol:
    """torch's third operand in order is not `keepdim` here."""
    return _row(_row_var)(value, dim, **options)


def _row_mean(value: Symbol) -> Node:
    return value.graph.affine(_row_sum(value), 1 / value.columns)


def _squares(graph: Algebra, blocks: Sequence[Node]) -> Node:
    return graph.total([graph.apply("row_dot", block, block) for block in blocks])


def _row_var(value: Symbol, correction: int = 1, unbiased: bool = True) -> Node:
    graph, mean = value.graph, _row_mean(value)
    centred = [graph.apply("sub", block, mean) for block in value.blocks]
    return graph.affine(_squares(graph, centred), 1 / (value.columns - (correction if unbiased else 0)))


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
    mean_square = graph.affine(_squares(graph, value.blocks), 1 / value.columns, eps)
    scale = graph.apply("rsqrt", mean_square)
    return _scaled(pointwise("mul", value, value.like((scale,))), weight, None)


def _scaled(value: Symbol, weight: Value, bias: Value) -> Symbol:
    value = value if weight is None else pointwise("mul", value, weight)
    return value if bias is None else pointwise("add", value, bias)


REDUCTIONS: dict[str, Callable[..., Any]] = {
    "sum": _row(_row_sum),
    "mean": _row(_row_mean),
    "var": _var,
    "layer_norm": _layer_norm,
    "rms_norm": _rms_norm,
}
