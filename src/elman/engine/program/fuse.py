"""Fewer, larger operations: a product of two values that is only added to a third becomes one operation with it.

It works on one program at a time, since what is used once in one may be used twice in another.
"""

from collections.abc import Callable, Hashable, Iterable

from elman.engine.program.algebra import Algebra
from elman.engine.program.graph import Node, reachable, uses


def fuse(graph: Algebra, roots: Iterable[Node], stop: Callable[[Node], bool] = lambda _: False) -> dict[Node, Node]:
    """For each node that the roots need, the node that takes its place; nodes that `stop` stay as they are."""
    roots = list(roots)
    nodes = reachable(roots, stop)
    counts = uses((node for node in nodes if not stop(node)), roots)

    def only(node: Node, op: str, times: int = 1) -> bool:
        """Whether a node of that operation serves nothing but its one reader."""
        return node.op == op and counts[node] == times and not stop(node)

    made: dict[Node, Node] = {}
    for node in nodes:
        if stop(node):
            made[node] = node
            continue
        op, args = _fused(node, only)
        new = tuple(made[arg] for arg in args)
        made[node] = node if (op, new) == (node.op, node.args) else graph.node(op, new, node.width, _data(node, op))
    return made


_Only = Callable[..., bool]


def _fused(node: Node, only: _Only) -> tuple[str, tuple[Node, ...]]:
    """The operation and operands that compute a node, with what is only computed for it taken in."""
    found = _RULES[node.op](node.args, only) if node.op in _RULES else None
    return found or (node.op, node.args)


_Found = tuple[str, tuple[Node, ...]] | None


def _add(args: tuple[Node, ...], only: _Only) -> _Found:
    for value, other in (args[::-1], args):
        if only(value, "mul") and not any(_is_complement(arg) for arg in value.args):
            return "fma", (*value.args, other)
        if only(value, "row_mul"):
            return "row_fma", (*value.args, other)
    return None


def _sub(args: tuple[Node, ...], only: _Only) -> _Found:
    return ("fnma", (*args[1].args, args[0])) if only(args[1], "mul") else None


def _mul(args: tuple[Node, ...], only: _Only) -> _Found:
    for value, other in (args, args[::-1]):
        if only(value, "affine") and _is_complement(value):
            return "fnma", (value.args[0], other, other)
    return None


def _acc(args: tuple[Node, ...], only: _Only) -> _Found:
    return ("acc_dot", args[0].args) if only(args[0], "mul") else None


def _row_dot(args: tuple[Node, ...], only: _Only) -> _Found:
    return ("row_deviation", args[0].args) if args[0] is args[1] and only(args[0], "row_add", 2) else None


_RULES = {"add": _add, "sub": _sub, "mul": _mul, "acc": _acc, "row_dot": _row_dot}


def _is_complement(node: Node) -> bool:
    """Whether it is 1 - a."""
    return node.op == "affine" and node.data == (-1.0, 1.0)


def _data(node: Node, op: str) -> tuple[Hashable, ...]:
    return node.data if op in {node.op, "acc_dot"} else ()
