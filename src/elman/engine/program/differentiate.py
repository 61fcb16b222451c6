"""The adjoint of a step, by reverse accumulation: from the gradients of the states after it to those before it.

It writes into the graph of the step, so that what both compute is one node. What of the step is kept for it is decided
in `saving.py`, where anything lies in `layout.py`.
"""

from collections import Counter
from dataclasses import dataclass, field

from elman.engine.program.adjoints import contributions
from elman.engine.program.algebra import Algebra
from elman.engine.program.contract import Source
from elman.engine.program.graph import Node, product_init, product_sources, reachable
from elman.engine.program.operations import LEAVES
from elman.engine.program.trace import Trace


@dataclass
class WeightGradient:
    """The gradient of one block of a matrix: that of the product, times what was multiplied, over all steps."""

    parameter: int
    block: int
    gradient: Node
    value: Node


@dataclass
class Adjoint:
    """What the backward program computes.

    Attributes:
        weights: what the large matmuls at the end take.
        carried: for each state, the parts of its gradient before the step: pointwise, and the whole if it has products.
        input: the input's gradient; None if the step does not read it.
        accumulations: the nodes that add up gradients of parameter vectors; `data` holds the vector's terms.
        totals: the gradient of each state after the step, from all that follows it.
        gates: the gradient of each gate that is given.

    """

    weights: list[WeightGradient] = field(default_factory=list)
    carried: list[tuple[Node | None, Node | None]] = field(default_factory=list)
    input: Node | None = None
    accumulations: list[Node] = field(default_factory=list)
    totals: list[Node] = field(default_factory=list)
    gates: list[Node] = field(default_factory=list)

    def roots(self) -> list[Node]:
        """All nodes that the program must compute, whether the totals are asked for or not."""
        carried = [node for parts in self.carried for node in parts if node is not None]
        products = [] if self.input is None else [self.input]
        return [entry.gradient for entry in self.weights] + carried + products + self.accumulations + self.gates


class _Reverse:
    """One pass from the states after the step to everything before it."""

    def __init__(self, trace: Trace, after: tuple[Node, ...], arriving: frozenset[int]) -> None:
        self.trace = trace
        self.graph: Algebra = trace.graph
        self.adjoint = Adjoint()
        self.parts: dict[Node, list[Node]] = {}
        self.multiplied: dict[Node, list[tuple[int, int, Node]]] = {}
        self.normalised: dict[Node, list[tuple[Node, Node]]] = {}
        for k, (node, width) in enumerate(zip(after, trace.states, strict=True)):
            gradient = self.graph.leaf("carry", k, width)
            if k in arriving:
                gradient = self.graph.apply("add", self.graph.leaf("dstate", k, width), gradient)
            self._give(node, gradient)
        for node in reversed(reachable(after)):
            self._visit(node)
        self.adjoint.weights.reverse()
        self.adjoint.totals = [self._total(node) or self.graph.const(0) for node in after]
        self.adjoint.gates = [self._total(node) or self.graph.const(0) for node in trace.gates]
        for node in trace.before:
            self.adjoint.carried.append(self._carried(node))

    def _give(self, node: Node, part: Node | None) -> None:
        if part is not None and part.op != "const":
            self.parts.setdefault(node, []).append(part)

    def _total(self, node: Node) -> Node | None:
        return self.graph.total(self.parts[node]) if node in self.parts else None

    def _visit(self, node: Node) -> None:
        if node in self.normalised:
            self._normalisation(node)
        if node.op == "prev":
            return
        if node in self.multiplied:
            self._give(node, self.graph.product(self._sources(node), None, node.width))
        d = self._total(node)
        if node.op == "input":
            self.adjoint.input = d
        elif d is not None:
            self._pass_on(node, d)

    def _pass_on(self, node: Node, d: Node) -> None:
        """Give the operands of a node their share of its gradient."""
        if node.op == "product":
            self._product(node, d)
        elif node.op == "vector":
            for part, times in Counter(self.parts[node]).items():
                scaled = self.graph.affine(part, times)
                self.adjoint.accumulations.append(self.graph.node("acc", (scaled,), node.width, node.data))
        elif node.op == "row_norm":
            self.normalised.setdefault(node.args[2], []).append((node, d))
        elif node.args:
            for arg, share in zip(node.args, contributions(self.graph, node, d), strict=True):
                self._give(arg, share)

    def _product(self, node: Node, d: Node) -> None:
        if d.op in LEAVES:  # what is kept for the matmuls at the end must not be written over by the next step
            d = self.graph.node("copy", (d,), d.width)
        for source, values in product_sources(node):
            (block,) = source.blocks
            self.multiplied.setdefault(values[0], []).append((source.parameter, block, d))
            self.adjoint.weights.append(WeightGradient(source.parameter, block, d, values[0]))
        init = product_init(node)
        if init is not None:
            self._give(init, d)

    def _sources(self, value: Node) -> list[tuple[Source, tuple[Node, ...]]]:
        """The transposed products that give the gradient of a value that was multiplied: one source for each matrix."""
        by_matrix: dict[int, list[tuple[int, Node]]] = {}
        for parameter, block, d in sorted(self.multiplied.get(value, []), key=lambda entry: entry[:2]):
            by_matrix.setdefault(parameter, []).append((block, d))
        return [
            (Source(1, parameter, tuple(block for block, _ in entries)), tuple(d for _, d in entries))
            for parameter, entries in by_matrix.items()
        ]

    def _carried(self, leaf: Node) -> tuple[Node | None, Node | None]:
        pointwise, sources = self._total(leaf), self._sources(leaf)
        if not sources:
            return pointwise or self.graph.node("fill", (), leaf.width, (0.0,)), None
        return pointwise, self.graph.product(sources, pointwise, leaf.width)

    def _normalisation(self, scale: Node) -> None:
        """Through (x - mean) * scale, mean and scale being those of all x of the group, at once."""
        graph, entries = self.graph, dict(self.normalised[scale])
        mean = next(iter(entries)).args[1]
        group = [node.args[0] for node in reachable([mean], lambda node: node.op == "row_sum") if node.op == "row_sum"]
        count = sum(self.trace.sizes[x.width] for x in group)
        hats = [graph.node("row_norm", (x, mean, scale), x.width) for x in group]
        plain = [graph.apply("row_sum", d) for d in entries.values()]
        along = [graph.apply("row_dot", d, hat) for hat, d in entries.items()]
        shift, slope = (graph.affine(graph.total(parts), 1 / count) for parts in (plain, along))
        for x, hat in zip(group, hats, strict=True):
            d = entries.get(hat) or graph.node("fill", (), x.width, (0.0,))
            self._give(x, graph.node("row_norm_grad", (d, hat, shift, slope, scale), x.width))


def differentiate(trace: Trace, after: tuple[Node, ...], arriving: frozenset[int]) -> Adjoint:
    """The adjoint of a step.

    Args:
        trace: the step.
        after: its states after it, as nodes of the trace's graph.
        arriving: the states for which a gradient arrives from outside at every step.

    """
    return _Reverse(trace, after, arriving).adjoint
