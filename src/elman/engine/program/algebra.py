"""Building a graph with the rules of algebra applied as it grows: constants fold, signs and scalings merge.

It knows neither torch's functions nor programs; every operation is named as in `operations.OPERATIONS`.
"""

from collections.abc import Callable, Sequence

import torch

from elman.engine.program.contract import Source, Width
from elman.engine.program.graph import Graph, Node
from elman.engine.program.operations import COMMUTATIVE, OPERATIONS, REDUCTIONS


class Algebra(Graph):
    """A graph to which simplified nodes are added."""

    def const(self, value: float) -> Node:
        return self.node("const", (), Width.ONE, (float(value),))

    def filled(self, node: Node, width: Width) -> Node:
        """A constant as a value of that width; anything else as it is."""
        return self.node("fill", (), width, node.data) if node.op == "const" else node

    def affine(self, a: Node, scale: float, shift: float = 0.0) -> Node:
        """a * scale + shift."""
        return self.apply("affine", a, data=(float(scale), float(shift)))

    def product(self, sources: list[tuple[Source, tuple[Node, ...]]], init: Node | None, width: Width) -> Node:
        args = [value for _, values in sources for value in values] + ([] if init is None else [init])
        return self.node("product", tuple(args), width, tuple(source for source, _ in sources))

    def total(self, nodes: Sequence[Node]) -> Node:
        """The sum of some nodes, from left to right."""
        total = nodes[0]
        for node in nodes[1:]:
            total = self.apply("add", total, node)
        return total

    def apply(self, op: str, *args: Node, data: tuple[float, ...] = ()) -> Node:
        """The simplest node that computes this."""
        args = tuple(self.node("const", (), Width.ONE, arg.data) if arg.op == "fill" else arg for arg in args)
        if args and all(arg.op == "const" for arg in args):
            values = [torch.tensor(arg.data[0], dtype=torch.float64) for arg in args]
            return self.const(float(OPERATIONS[op].evaluate(*values, *data)))
        rule = _RULES.get(op)
        simpler = rule(self, *args, *data) if rule else None
        if simpler is not None:
            return simpler
        width = next((arg.width for arg in args if arg.width is not Width.ONE), Width.ONE)
        if op in REDUCTIONS:
            return self.node(op, args, Width.ONE)
        if not op.startswith("row_"):
            args = tuple(self._widened(arg, width) for arg in args)
        if op in COMMUTATIVE:
            args = tuple(sorted(args, key=lambda arg: arg.id))
        return self.node(op, args, width, data)

    def _widened(self, node: Node, width: Width) -> Node:
        node = self.filled(node, width)
        if node.width is Width.ONE and width is not Width.ONE:
            return self.node("spread", (node,), width)
        return node


def _scalar(node: Node, other: Node) -> Node | None:
    """The row scalar that `node` is beside a wider `other`."""
    if other.width is Width.ONE:
        return None
    if node.op == "spread":
        return node.args[0]
    return node if node.width is Width.ONE and node.op != "const" else None


def _add(graph: Algebra, a: Node, b: Node) -> Node | None:
    if a.op == b.op == "vector" and a.width is b.width:
        return graph.node("vector", (), a.width, tuple(sorted(a.data + b.data)))
    if a is b:
        return graph.affine(a, 2)
    for value, other in ((a, b), (b, a)):
        if other.op == "const":
            return graph.affine(value, 1, other.data[0])
        scalar = _scalar(other, value)
        if scalar is not None:
            return graph.node("row_add", (value, scalar), value.width)
    for value, other in ((a, b), (b, a)):
        if other.op == "neg":
            return graph.apply("sub", value, other.args[0])
    return None


def _sub(graph: Algebra, a: Node, b: Node) -> Node | None:
    if b.op == "const":
        return graph.affine(a, 1, -b.data[0])
    if a.op == "const":
        return graph.affine(b, -1, a.data[0])
    if b.op == "neg":
        return graph.apply("add", a, b.args[0])
    if _scalar(b, a) is not None or _scalar(a, b) is not None:
        return graph.apply("add", a, graph.apply("neg", b))
    return None


def _mul(graph: Algebra, a: Node, b: Node) -> Node | None:
    for value, other in ((a, b), (b, a)):
        if other.op == "const":
            return graph.affine(value, other.data[0])
        if other.op == "neg":
            return graph.apply("neg", graph.apply("mul", value, other.args[0]))
    for value, other in ((a, b), (b, a)):
        scalar = _scalar(other, value)
        if scalar is not None:
            return graph.node("row_mul", (value, scalar), value.width)
    return None


def _div(graph: Algebra, a: Node, b: Node) -> Node | None:
    if b.op == "const":
        return graph.affine(a, 1 / b.data[0]) if b.data[0] else None
    if a.op == "const" or _scalar(b, a) is not None:
        return graph.apply("mul", a, graph.apply("reciprocal", b))
    return None


def _neg(graph: Algebra, a: Node) -> Node | None:
    if a.op == "neg":
        return a.args[0]
    if a.op == "sub":
        return graph.apply("sub", a.args[1], a.args[0])
    if a.op == "affine":
        return graph.affine(a, -1)
    if a.op == "spread":
        return graph.node("spread", (graph.apply("neg", a.args[0]),), a.width)
    return None


def _affine(graph: Algebra, a: Node, scale: float, shift: float) -> Node | None:
    if scale == 0:
        return graph.const(shift)
    if (scale, shift) == (1, 0):
        return a
    if a.op == "affine":
        inner, moved = a.data
        return graph.affine(a.args[0], inner * scale, moved * scale + shift)
    if a.op == "neg":
        return graph.affine(a.args[0], -scale, shift)
    if (scale, shift) == (-1, 0):
        return graph.apply("neg", a)
    return None


_RULES: dict[str, Callable[..., Node | None]] = {
    "add": _add,
    "sub": _sub,
    "mul": _mul,
    "div": _div,
    "neg": _neg,
    "affine": _affine,
}
