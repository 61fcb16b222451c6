"""A program before it is put in order: what must be computed, where that must lie, and what must wait for what.

It knows no segments, temporaries or encoding.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from elman.engine.program.contract import Kind, Place, Width
from elman.engine.program.graph import Graph, Node, reachable, readers
from elman.engine.program.operations import ACCUMULATIONS

Terms = tuple[tuple[int, int], ...]
"""What a parameter vector is the sum of: (parameter, block)."""


@dataclass
class Draft:
    """One program to be.

    Attributes:
        graph: of all nodes.
        homes: where values lie that this program does not compute: leaves, and what the forward program has kept.
        targets: where values that it computes must be written.
        accumulations: the nodes that add to gradients of parameter vectors.
        waits: pairs (reader, writer): the writer overwrites what the reader reads.

    """

    graph: Graph
    homes: dict[Node, Place]
    targets: dict[Node, Place] = field(default_factory=dict)
    accumulations: list[Node] = field(default_factory=list)
    waits: set[tuple[Node, Node]] = field(default_factory=set)

    def write(self, node: Node, place: Place) -> Node:
        """Have a node written to a place, by a copy if it lies elsewhere already; returns what writes there."""
        if self.homes.get(node) == place:
            return node
        if node in self.homes or node in self.targets:
            node = self.graph.node("copy", (node,), node.width, fresh=True)
        self.targets[node] = place
        return node

    def nodes(self) -> list[Node]:
        """What it computes, arguments first."""
        roots = [*self.targets, *self.accumulations]
        return [node for node in reachable(roots, self.homes.__contains__) if node not in self.homes]

    def wait_for(self, others: Iterable[Node], writer: Node) -> None:
        """Have `writer` wait for others, which read what it overwrites."""
        self.waits.update((reader, writer) for reader in others if reader is not writer)

    def followers(self, start: Node) -> set[Node]:
        """What must come after `start`, and that itself."""
        following = readers(self.nodes())
        for reader, writer in self.waits:
            following.setdefault(reader, set()).add(writer)
        stack, seen = [start], set[Node]()
        while stack:
            node = stack.pop()
            if node not in seen:
                seen.add(node)
                stack.extend(following.get(node, ()))
        return seen


def leaf_homes(nodes: list[Node], vectors: list[Terms], extras: tuple[str, ...]) -> dict[Node, Place]:
    """Where the leaves among these nodes lie."""
    kinds = {"input": Kind.INPUT, "prev": Kind.PREV, "dstate": Kind.DSTATE, "carry": Kind.CARRY}
    homes: dict[Node, Place] = {}
    for node in nodes:
        if node.op in kinds:
            homes[node] = Place(kinds[node.op], node.data[0], node.width)
        elif node.op == "extra":
            homes[node] = Place(Kind.EXTRA, extras.index(node.data[0]), node.width)
        elif node.op == "vector":
            homes[node] = Place(Kind.VECTOR, vectors.index(terms_of(node)), node.width)
    return homes


def terms_of(node: Node) -> Terms:
    """The sum that a vector is, or whose gradient a node accumulates."""
    assert node.op == "vector" or node.op in ACCUMULATIONS
    return node.data


def tape_place(index: int, width: Width) -> Place:
    kind = {Width.H: Kind.TAPE, Width.P: Kind.TAPE_P, Width.ONE: Kind.TAPE_ROW}[width]
    return Place(kind, index, width)


def grad_place(index: int, width: Width) -> Place:
    return Place(Kind.GRAD if width is Width.H else Kind.GRAD_P, index, width)
