"""The adjoint as a draft of a program: what it writes where, and what must wait before something is overwritten.

It does not know how the adjoint came about, nor the order of operations.
"""

from dataclasses import dataclass

from elman.engine.program.algebra import Algebra
from elman.engine.program.contract import Kind, Place, Source, Width
from elman.engine.program.differentiate import Adjoint, WeightGradient
from elman.engine.program.draft import Draft, Terms, leaf_homes
from elman.engine.program.fuse import fuse
from elman.engine.program.graph import Node, reachable, readers, replaced
from elman.engine.program.layout import Layout, lay_out
from elman.engine.program.operations import LEAVES
from elman.engine.program.place import runs
from elman.engine.program.trace import Trace


@dataclass(frozen=True)
class Backward:
    """The draft of a backward program.

    Attributes:
        draft: what it computes.
        layout: where the tape and the gradients lie.
        weights: the matmuls after the last step: matrix and blocks, first gradient, value.
        gradients: for each gradient of a product, the (parameter, block) pairs that it is for.

    """

    draft: Draft
    layout: Layout
    weights: list[tuple[Source, Place, Place]]
    gradients: dict[Node, list[tuple[int, int]]]


def draft_backward(
    trace: Trace,
    after: tuple[Node, ...],
    adjoint: Adjoint,
    kept: set[Node],
    vectors: list[Terms],
    *,
    totals: bool,
    copies: bool,
) -> Backward:
    """Draft the backward program.

    Args:
        trace: the step.
        after: its states after it.
        adjoint: of the step.
        kept: what of the step is on the tape.
        vectors: the table of parameter vectors.
        totals: whether the gradient of every state after the step is written for the caller.
        copies: whether carried gradients are copied before any of them is overwritten; for states that change places.

    """
    graph = trace.graph
    states = {node: Place(Kind.NEXT, k, node.width) for k, node in reversed(list(enumerate(after)))}
    states = {node: place for node, place in states.items() if node.op not in LEAVES}
    roots = adjoint.roots() + (adjoint.totals if totals else [])
    new = _final_nodes(graph, roots, kept | states.keys(), copies=copies)
    leaves = reachable([*new.values(), *(entry.value for entry in adjoint.weights if entry.value.op in LEAVES)])
    homes = leaf_homes(leaves, vectors, trace.extras) | states
    homes |= {node: Place(Kind.TAPE, 0, node.width) for node in kept}  # until it is laid out
    draft = Draft(graph, homes)
    entries = [WeightGradient(e.parameter, e.block, new[e.gradient], e.value) for e in adjoint.weights]
    for entry in entries:
        draft.targets[entry.gradient] = Place(Kind.GRAD, 0, entry.gradient.width)  # until it is laid out
    if adjoint.input is not None:
        draft.write(new[adjoint.input], Place(Kind.DINPUT, 0, Width.I))
    draft.accumulations = [new[node] for node in adjoint.accumulations]
    writers = _write_carried(draft, adjoint, new)
    if totals:
        for k, node in enumerate(adjoint.totals):
            draft.write(graph.filled(new[node], after[k].width), Place(Kind.ADJOINT, k, after[k].width))
    for k, (node, gate) in enumerate(zip(adjoint.gates, trace.gates, strict=True)):
        draft.write(graph.filled(new[node], gate.width), Place(Kind.DEXTRA, k, gate.width))
    _protect_carried(draft, trace, writers)
    layout = lay_out(draft, entries, kept)
    draft.homes |= layout.tape
    draft.targets |= layout.grad
    gradients: dict[Node, list[tuple[int, int]]] = {}
    for entry in entries:
        gradients.setdefault(entry.gradient, []).append((entry.parameter, entry.block))
    return Backward(draft, layout, _weights(draft, entries), gradients)


def _final_nodes(graph: Algebra, roots: list[Node], given: set[Node], *, copies: bool) -> dict[Node, Node]:
    """For each node that leads to these, the one that is computed in its place."""
    first = {node: node for node in reachable(roots)}
    if copies:
        leaves = [node for node in first if node.op == "carry"]
        first = replaced(graph, roots, {leaf: graph.node("copy", (leaf,), leaf.width, fresh=True) for leaf in leaves})
    then = fuse(graph, [first[root] for root in roots], given.__contains__)
    return {node: then[first[node]] for node in first if first[node] in then}


def _write_carried(draft: Draft, adjoint: Adjoint, new: dict[Node, Node]) -> list[list[Node]]:
    """Have the gradients of the states before the step written; the nodes that write each, in order."""
    writers: list[list[Node]] = []
    for k, (pointwise, whole) in enumerate(adjoint.carried):
        mine: list[Node] = []
        if pointwise is not None:
            part = new[pointwise]
            place = Place(Kind.CARRY, k, part.width)
            if whole is None or (part not in draft.homes and part not in draft.targets):
                mine.append(draft.write(part, place))
        if whole is not None:
            mine.append(draft.write(new[whole], Place(Kind.CARRY, k, whole.width)))
        writers.append(mine)
    return writers


def _protect_carried(draft: Draft, trace: Trace, writers: list[list[Node]]) -> None:
    """Nothing writes over a carried gradient before all that reads it has done so."""
    read = readers(draft.nodes())
    for k, mine in enumerate(writers):
        leaf = trace.graph.leaf("carry", k, trace.states[k])
        for writer in mine:
            if writer is not leaf:
                draft.wait_for(read.get(leaf, ()), writer)
        if len(mine) == 2:
            draft.wait_for(read.get(mine[0], ()), mine[1])


def _weights(draft: Draft, entries: list[WeightGradient]) -> list[tuple[Source, Place, Place]]:
    """The matmuls at the end: one for each matrix and value, or several where gradients do not lie side by side."""
    groups: dict[tuple[int, Node], list[WeightGradient]] = {}
    for entry in entries:
        groups.setdefault((entry.parameter, entry.value), []).append(entry)
    found = []
    for (parameter, value), group in groups.items():
        source = Source(1, parameter, tuple(entry.block for entry in group))
        for piece, first in runs(source, [draft.targets[entry.gradient] for entry in group]):
            found.append((piece, first, draft.homes[value]))
    return found
