"""Tracing: a cell's step is run once on symbols, and what it did is a graph.

It does not know what is done with the graph.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor

from elman.cells import Cell, Weights
from elman.engine.program.algebra import Algebra
from elman.engine.program.contract import Parameter, Width
from elman.engine.program.graph import Node
from elman.engine.program.symbol import Matrix, Sizes, Symbol, Traced
from elman.engine.program.untraceable import UntraceableError


@dataclass(frozen=True)
class Trace:
    """One time step of a cell, as a graph.

    Attributes:
        graph: of everything that the step computed.
        sizes: H, P and I in numbers.
        parameters: the weights that there are, in the order of the cell's weights.
        extras: the names of the caller's arrays, in order: gates and numbers that are given, then masks.
        states: the width of each state.
        gates: the leaf of each gate, and then of each number, that is given.
        before: the leaf of each state before the step.
        after: the node of each state after it.

    """

    graph: Algebra
    sizes: Sizes
    parameters: tuple[Parameter, ...]
    extras: tuple[str, ...]
    states: tuple[Width, ...]
    gates: tuple[Node, ...]
    before: tuple[Node, ...]
    after: tuple[Node, ...]


def trace(
    cell: Cell, weights: Weights, extras: Collection[str] = (), *, given: int = 0, numbers: Sequence[str] = ()
) -> Trace:
    """The graph of a cell's step.

    Args:
        cell: the time step.
        weights: of one layer and direction; only their shapes matter.
        extras: the fields of `weights` that are not weights but arrays with a value for each row, (B, H) or (B, P).
        given: H, if the caller gives the projected input, an array for each gate, instead of input and input weights.
        numbers: the names of single numbers of each row that the projected input has then behind the gates.

    Raises:
        UntraceableError: if the step does what no program can contain.

    """
    hidden = given or weights.ih.shape[0] // len(cell.gates)
    state_sizes = cell.state_sizes(hidden, 0 if weights.hr is None else weights.hr.shape[0])
    sizes = Sizes(hidden, state_sizes[0], 0 if given else weights.ih.shape[1])
    graph = Algebra()
    parameters: list[Parameter] = []
    symbols: list[Any] = []
    for name, tensor in zip(weights._fields, weights, strict=True):
        if tensor is None:
            symbols.append(None)
        elif name in extras:
            symbols.append(Symbol(graph, sizes, (graph.leaf("extra", name, _width(sizes, tensor.shape[-1], name)),)))
        else:
            parameters.append(_parameter(cell, sizes, name, tensor))
            symbols.append(_symbol(graph, sizes, len(parameters) - 1, parameters[-1], tensor.dim()))
    states = tuple(_width(sizes, size, f"state {name}") for name, size in zip(cell.states, state_sizes, strict=True))
    before = tuple(graph.leaf("prev", k, width) for k, width in enumerate(states))
    gates = tuple(graph.leaf("extra", f"gate {name}", Width.H) for name in cell.gates) if given else ()
    gates += tuple(graph.leaf("extra", f"gate {name}", Width.ONE) for name in numbers)
    after = _run(cell, type(weights)._make(symbols), graph, sizes, gates, before)
    names = (*(str(leaf.data[0]) for leaf in gates), *extras)
    return Trace(graph, sizes, tuple(parameters), names, states, gates, before, after)


def _run(
    cell: Cell, weights: Weights, graph: Algebra, sizes: Sizes, gates: tuple[Node, ...], before: tuple[Node, ...]
) -> tuple[Node, ...]:
    def symbol(*nodes: Node) -> Tensor:
        return cast("Tensor", Symbol(graph, sizes, nodes))

    try:
        projected = symbol(*gates) if gates else cell.project(symbol(graph.leaf("input", 0, Width.I)), weights)
        result = cell.step(projected, tuple(symbol(node) for node in before), weights)
    except UntraceableError:
        raise
    except Exception as error:
        # Whatever goes wrong on symbols goes wrong, or right, with the user's own traceback in the reference.
        inner = error.__traceback__
        while inner is not None and inner.tb_next is not None:
            inner = inner.tb_next
        frame = inner.tb_frame if inner else None
        raise UntraceableError(f"{type(error).__name__}: {error}", "is raised by the step", frame) from error
    return _states(cell, result, graph, before)


def _states(cell: Cell, result: object, graph: Algebra, before: tuple[Node, ...]) -> tuple[Node, ...]:
    if not isinstance(result, tuple) or len(result) != len(before):
        raise UntraceableError(
            f"The step of '{cell.name}'", f"does not return a tuple of {len(before)} states", located=False
        )
    after = []
    for name, value, old in zip(cell.states, result, before, strict=True):
        if not isinstance(value, Symbol) or len(value.blocks) != 1 or value.rank != 2 or value.truth:
            raise UntraceableError(
                f"The state '{name}' after the step", "is not a value of that state's size", located=False
            )
        node = graph.filled(value.blocks[0], old.width)
        if node.width is not old.width:
            raise UntraceableError(
                f"The state '{name}' after the step", "is not a value of that state's size", located=False
            )
        after.append(node)
    return tuple(after)


def _width(sizes: Sizes, columns: int, what: str) -> Width:
    width = sizes.width_of(columns)
    if width is None:
        raise UntraceableError(
            f"The size {columns} of {what}", "is neither the hidden size nor the output's", located=False
        )
    return width


def _parameter(cell: Cell, sizes: Sizes, name: str, tensor: Tensor) -> Parameter:
    total, *inner = tensor.shape
    declared = cell.parameters.get(name, ())
    if len(declared) == 2 and declared[0] == total and inner:  # not what derive has made of it
        width = Width.I if declared[1] == "I" else sizes.width_of(inner[0])
        if width is not None:
            return Parameter(name, 1, width, total, None)
    rows = sizes.width_of(total) if total % sizes[Width.H] else Width.H
    columns = None
    if len(inner) == 1:
        of_input = name == "ih" or declared[-1:] == ("I",)
        columns = Width.I if of_input else sizes.width_of(inner[0])
    if rows is None or len(inner) > 1 or (inner and columns is None):
        raise UntraceableError(
            f"The parameter '{name}' of shape {tuple(tensor.shape)}",
            "has other rows than a multiple of H, or P, or other columns than H, P or I; let derive make of it what "
            "the step needs, and put None in its place",
            located=False,
        )
    return Parameter(name, tensor.dim(), rows, total // sizes[rows], columns)


def _symbol(graph: Algebra, sizes: Sizes, number: int, parameter: Parameter, rank: int) -> Traced:
    if rank == 2:
        return Matrix(sizes, number, parameter, tuple(range(parameter.blocks)))
    leaves = (graph.leaf("vector", (number, block), parameter.rows) for block in range(parameter.blocks))
    return Symbol(graph, sizes, tuple(leaves), rank=1)
