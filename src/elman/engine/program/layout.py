"""Where saved values and gradients lie: the blocks of the tape, and over them the blocks of gradients.

Gradients of products are ordered so that each matrix finds those that it multiplies side by side. A gradient is laid
over a saved value that nothing reads after it is written, so that backward needs no memory of its own. It does not know
segments beyond their number.
"""

from dataclasses import dataclass

from elman.engine.program.contract import Place, Width
from elman.engine.program.differentiate import WeightGradient
from elman.engine.program.draft import Draft, grad_place, tape_place
from elman.engine.program.graph import Node, readers
from elman.engine.program.schedule import earliest


@dataclass(frozen=True)
class Layout:
    """Where each saved value of the step lies, and each gradient that a weight gradient takes."""

    tape: dict[Node, Place]
    grad: dict[Node, Place]


def ordered_gradients(entries: list[WeightGradient]) -> list[Node]:
    """The gradients of products: those of the input alone, those of input and state, those of the state alone."""
    keys: dict[Node, tuple[bool, bool, int, int]] = {}
    grouped: dict[Node, list[WeightGradient]] = {}
    for entry in entries:
        grouped.setdefault(entry.gradient, []).append(entry)
    for gradient, mine in grouped.items():
        inputs = [entry for entry in mine if entry.value.op == "input"]
        others = [entry for entry in mine if entry.value.op != "input"]
        first = (others or inputs)[0]
        keys[gradient] = (not inputs, bool(others), first.value.id, first.block)
    return sorted(keys, key=lambda node: keys[node])


def lay_out(draft: Draft, entries: list[WeightGradient], kept: set[Node]) -> Layout:
    """Give every gradient and every kept value a place; note in the draft who has to wait for whom."""
    gradients = ordered_gradients(entries)
    factors = {entry.value for entry in entries}
    free = sorted((node for node in kept if node.width is Width.H and node not in factors), key=lambda node: node.id)
    partners = _partners(draft, [node for node in gradients if node.width is Width.H], free)
    grad: dict[Node, Place] = {}
    for width in (Width.H, Width.P):
        for index, node in enumerate(node for node in gradients if node.width is width):
            grad[node] = grad_place(index, width)
    tape = {value: tape_place(grad[gradient].number, Width.H) for gradient, value in partners.items()}
    beyond = sum(place.width is Width.H for place in grad.values())
    for width, start in ((Width.H, beyond), (Width.P, 0), (Width.ONE, 0)):
        rest = sorted((node for node in kept if node.width is width and node not in tape), key=lambda node: node.id)
        tape |= {node: tape_place(start + index, width) for index, node in enumerate(rest)}
    return Layout(tape, grad)


def _partners(draft: Draft, gradients: list[Node], values: list[Node]) -> dict[Node, Node]:
    """For as many gradients as possible, the kept value whose place it takes; first one that it is computed from."""
    level, read = earliest(draft), readers(draft.nodes())
    partners: dict[Node, Node] = {}
    left = list(values)

    def free(value: Node, gradient: Node) -> bool:
        """Whether all others that read the value can do so before the gradient is written."""
        others = read.get(value, set()) - {gradient}
        late = any(level[reader] > level[gradient] for reader in others)
        return not late and draft.followers(gradient).isdisjoint(others)

    for near in (True, False):
        for gradient in gradients:
            if gradient in partners or gradient.op == "product":
                continue
            candidates = [value for value in left if value in gradient.args] if near else left
            value = next((value for value in candidates if free(value, gradient)), None)
            if value is not None:
                partners[gradient] = value
                draft.wait_for(read.get(value, ()), gradient)
                left.remove(value)
    return partners
