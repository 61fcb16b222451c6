"""Names for what is saved and for the gradients of products, from the gates that they belong to; for people only."""

from collections import Counter
from collections.abc import Mapping, Sequence

from elman.cells import Cell
from elman.engine.program.contract import Kind, Place
from elman.engine.program.graph import Node, product_sources, reachable
from elman.engine.program.layout import Layout
from elman.engine.program.trace import Trace

_MARK = {Kind.TAPE: "s", Kind.TAPE_P: "p", Kind.TAPE_ROW: "r", Kind.GRAD: "δ", Kind.GRAD_P: "ε"}


def name_places(
    trace: Trace, cell: Cell, layout: Layout, gradients: Mapping[Node, Sequence[tuple[int, int]]]
) -> dict[Place, str]:
    """A short name for each place of tape and gradients, no two alike.

    Args:
        trace: the step.
        cell: whose gates and states have names.
        layout: where everything lies.
        gradients: for each gradient, the (parameter, block) pairs that it is for.

    """
    gates = [f"{gate}~" if gate in cell.states else gate for gate in cell.gates]
    wanted = {place: _saved_name(trace, gates, node, layout.tape) for node, place in layout.tape.items()}
    for node, place in layout.grad.items():
        gate = _gate(trace, gates, list(gradients[node]))
        wanted[place] = f"δ{gate}" if gate else None
    counts = Counter(wanted.values())
    names: dict[Place, str] = {}
    for place, name in wanted.items():
        unique = name is not None and counts[name] == 1
        plain = f"{_MARK[place.kind]}{place.number}"
        names[place] = name if name is not None and unique else f"{plain}~" if plain in cell.states else plain
    return names


def _saved_name(trace: Trace, gates: Sequence[str], node: Node, tape: Mapping[Node, Place]) -> str | None:
    nodes = reachable([node], lambda other: other is not node and other in tape)
    products = [each for each in nodes if each.op == "product" and (each is node or each not in tape)]
    blocks = [(source.parameter, source.blocks[0]) for each in products for source, _ in product_sources(each)]
    return _gate(trace, gates, blocks)


def _gate(trace: Trace, gates: Sequence[str], blocks: list[tuple[int, int]]) -> str | None:
    """The one gate that these blocks of matrices belong to; marked if the input has no part in it."""
    named = [(trace.parameters[p].name, gates[b]) for p, b in blocks if trace.parameters[p].blocks == len(gates)]
    inputs = {gate for name, gate in named if name == "ih"}
    if len(inputs) == 1:
        return inputs.pop()
    others = {f"{gate}_{name}" for name, gate in named}
    return others.pop() if len(others) == 1 and not inputs else None
