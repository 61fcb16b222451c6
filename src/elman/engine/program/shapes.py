"""What cutting and joining features, and matmuls with weights, mean in a step that is being traced."""

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import Any

from elman.engine.program.contract import Source
from elman.engine.program.symbol import Matrix, Symbol
from elman.engine.program.untraceable import UntraceableError

Value = Any
"""A Symbol, or a Matrix."""


def _last(symbol: Value, dim: int) -> None:
    if dim not in {-1, symbol.dim() - 1}:
        raise UntraceableError(f"An operation along dimension {dim}", "is not along the features")


def _chunk(value: Value, chunks: int, dim: int = 0) -> tuple[Value, ...]:
    size = -(-value.shape[0 if isinstance(value, Matrix) else -1] // chunks)
    return _split(value, size, dim)


def _split(value: Value, split_size_or_sections: int | Sequence[int], dim: int = 0) -> tuple[Value, ...]:
    if isinstance(value, Matrix):
        total = value.shape[0]
        if dim != 0:
            raise UntraceableError("A split of a matrix other than by its rows")
    else:
        total = value.columns
        _last(value, dim)
    sections = split_size_or_sections
    if isinstance(sections, int):
        sections = [min(sections, total - start) for start in range(0, total, sections)]
    return tuple(value.cut(start, stop) for start, stop in pairwise(accumulate(sections, initial=0)))


def _narrow(value: Value, dim: int, start: int, length: int) -> Value:
    _last(value, dim)
    return value.cut(start, start + length)


def _cat(tensors: Sequence[Symbol], dim: int = 0) -> Symbol:
    _last(tensors[0], dim)
    truth = all(tensor.truth for tensor in tensors)
    return tensors[0].like(tuple(block for tensor in tensors for block in tensor.blocks), truth=truth)


def _linear(value: Value, weight: Value, bias: Value = None) -> Symbol:
    """A matmul with a weight matrix: one product for each block of its rows."""
    if not isinstance(weight, Matrix) or weight.transposed or not isinstance(value, Symbol) or value.rank != 2:
        raise UntraceableError("A matmul other than of a value with a weight matrix")
    if len(value.blocks) != 1 or value.blocks[0].width is not weight.width:
        raise UntraceableError(f"A matmul of {value.columns} features with a matrix of shape {weight.shape}")
    if weight.narrow:
        return _numbers(value, weight, bias)
    if bias is not None and (not isinstance(bias, Symbol) or bias.rank != 1 or bias.columns != weight.shape[0]):
        raise UntraceableError("A bias that is not a parameter vector of the matrix's length")
    graph, source = value.graph, value.blocks[0]
    source = graph.filled(source, source.width)
    starts = [None] * len(weight.blocks) if bias is None else list(bias.blocks)
    return value.like(
        tuple(
            graph.product([(Source(0, weight.number, (block,)), (source,))], start, weight.parameter.rows)
            for block, start in zip(weight.blocks, starts, strict=True)
        )
    )


def _numbers(value: Symbol, weight: Matrix, bias: Value) -> Symbol:
    """What a narrow matrix makes of a value: as many numbers of each row as it has rows."""
    if bias is not None:
        raise UntraceableError("A bias of numbers of each row")
    graph, source = value.graph, value.graph.filled(value.blocks[0], weight.width)
    vectors = (graph.leaf("vector", (weight.number, block), weight.width) for block in weight.blocks)
    return value.like(tuple(graph.apply("row_dot", source, vector) for vector in vectors))


def _matmul(value: Value, weight: Value) -> Symbol:
    if not isinstance(weight, Matrix):
        raise UntraceableError("A matmul other than of a value with a weight matrix")
    if not weight.transposed:
        raise UntraceableError(
            "A matmul with the columns of a matrix",
            "is nothing that a program can contain; declare the matrix the other way round and write value @ matrix.T",
        )
    return _linear(value, weight.T)


SHAPES: dict[str, Callable[..., Any]] = {
    "chunk": _chunk,
    **dict.fromkeys(("split", "split_with_sizes"), _split),
    "narrow": _narrow,
    **dict.fromkeys(("cat", "concat", "concatenate"), _cat),
    "linear": _linear,
    **dict.fromkeys(("matmul", "mm"), _matmul),
}
