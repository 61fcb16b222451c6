"""A step as a graph of values, each computed once: the form that everything between tracing and placing works on.

A graph keeps equal computations as one node (common subexpressions are shared by construction) and numbers its nodes
so that a node's arguments precede it. It knows no algebra: that is `algebra.py`.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any

from elman.engine.program.contract import Source, Width


@dataclass(eq=False)
class Node:
    """One value of one time step, for all rows.

    Attributes:
        id: its number; greater than those of its arguments.
        op: a name of `operations.OPERATIONS`, a leaf, or "product".
        args: what it is computed from. Of a product: the sources' values in order, then the initial value if any.
        width: its number of columns.
        data: what else the operation needs: immediates, the index of a leaf, the `Source`s of a product, terms of a
            vector.

    """

    id: int
    op: str
    args: tuple["Node", ...]
    width: Width
    data: tuple[Any, ...] = ()

    def __repr__(self) -> str:
        inner = [f"n{arg.id}" for arg in self.args] + [str(item) for item in self.data]
        return f"n{self.id} = {self.op}({', '.join(inner)})"


class Graph:
    """All nodes of a step and its adjoint."""

    def __init__(self) -> None:
        self._known: dict[Hashable, Node] = {}
        self._count = 0

    def node(
        self, op: str, args: tuple[Node, ...], width: Width, data: tuple[Hashable, ...] = (), *, fresh: bool = False
    ) -> Node:
        """The node that computes this; a new one if there is none yet or `fresh` asks for one."""
        key = (op, tuple(arg.id for arg in args), width, data)
        if not fresh and key in self._known:
            return self._known[key]
        made = Node(self._count, op, args, width, data)
        self._count += 1
        if not fresh:
            self._known[key] = made
        return made

    def leaf(self, op: str, index: Hashable, width: Width) -> Node:
        return self.node(op, (), width, (index,))


def product_sources(node: Node) -> list[tuple[Source, tuple[Node, ...]]]:
    """The sources of a product, each with the values that it multiplies."""
    found: list[tuple[Source, tuple[Node, ...]]] = []
    position = 0
    for source in node.data:
        count = len(source.blocks) if source.form else 1
        found.append((source, node.args[position : position + count]))
        position += count
    return found


def product_init(node: Node) -> Node | None:
    """What a product starts from; None for zero."""
    used = sum(len(values) for _, values in product_sources(node))
    return node.args[used] if len(node.args) > used else None


def reachable(roots: Iterable[Node], stop: Callable[[Node], bool] = lambda _: False) -> list[Node]:
    """The nodes that the roots are computed from, roots included, arguments first; not beyond nodes that `stop`."""
    seen: dict[int, Node] = {}
    stack = list(roots)
    while stack:
        node = stack.pop()
        if node.id not in seen:
            seen[node.id] = node
            if not stop(node):
                stack.extend(node.args)
    return [seen[key] for key in sorted(seen)]


def uses(nodes: Iterable[Node], roots: Iterable[Node]) -> Counter[Node]:
    """How often each node is an argument of these, or a root."""
    return Counter([*roots, *(arg for node in nodes for arg in node.args)])


def readers(nodes: Iterable[Node]) -> dict[Node, set[Node]]:
    """What reads each value, among these nodes."""
    found: dict[Node, set[Node]] = {}
    for node in nodes:
        for arg in node.args:
            found.setdefault(arg, set()).add(node)
    return found


def rebuilt(graph: Graph, node: Node, made: dict[Node, Node]) -> Node:
    """The same computation on what has been made of the node's arguments."""
    args = tuple(made[arg] for arg in node.args)
    return node if args == node.args else graph.node(node.op, args, node.width, node.data)


def replaced(graph: Graph, roots: Iterable[Node], others: dict[Node, Node]) -> dict[Node, Node]:
    """For each node that the roots need, the same computation with `others` in place of some nodes."""
    made: dict[Node, Node] = {}
    for node in reachable(roots):
        made[node] = others.get(node) or rebuilt(graph, node, made)
    return made
