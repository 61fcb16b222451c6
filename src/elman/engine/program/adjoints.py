"""The derivative of each operation: what the gradient of its result contributes to the gradients of its operands.

It knows single operations only; `differentiate.py` takes them through a graph. Matmuls and normalisation are there too.
"""

import math
from collections.abc import Callable

from elman.engine.program.algebra import Algebra
from elman.engine.program.contract import Width
from elman.engine.program.graph import Node

Contributions = tuple[Node | None, ...]
"""For each operand of the operation: what is added to its gradient, None for nothing."""


def contributions(graph: Algebra, node: Node, d: Node) -> Contributions:
    """What the gradient `d` of a node adds to the gradients of its operands."""
    return _RULES[node.op](graph, node, d)


def _scaled_by(derivative: Callable[[Algebra, Node], Node]) -> Callable[[Algebra, Node, Node], Contributions]:
    """The rule of a function of one operand, from its derivative."""
    return lambda graph, node, d: (graph.apply("mul", d, derivative(graph, node)),)


def _cube(graph: Algebra, value: Node) -> Node:
    return graph.apply("mul", value, graph.apply("mul", value, value))


def _density(graph: Algebra, value: Node) -> Node:
    """The derivative of erf."""
    square = graph.apply("mul", value, value)
    return graph.affine(graph.apply("exp", graph.apply("neg", square)), 2 / math.sqrt(math.pi))


def _one_and_square(graph: Algebra, value: Node) -> Node:
    return graph.affine(graph.apply("mul", value, value), 1, 1)


def _mul(graph: Algebra, node: Node, d: Node) -> Contributions:
    a, b = node.args
    return graph.apply("mul", d, b), graph.apply("mul", d, a)


def _div(graph: Algebra, node: Node, d: Node) -> Contributions:
    numerator = graph.apply("div", d, node.args[1])
    return numerator, graph.apply("neg", graph.apply("mul", numerator, node))


def _where(graph: Algebra, d: Node, share: Node) -> Node:
    """The gradient where the share of it is not zero; zero elsewhere, even if the gradient is infinite or NaN there."""
    return graph.apply("drelu", d, share)


def _rest(graph: Algebra, share: Node) -> Node:
    return graph.affine(share, -1, 1)


def _larger(graph: Algebra, node: Node, d: Node, larger: int) -> Contributions:
    """Of maximum and minimum: all goes to the one that was taken, half to each of equals."""
    first = graph.apply("above", node.args[larger], node.args[1 - larger])
    return tuple(_where(graph, graph.apply("mul", d, share), share) for share in (first, _rest(graph, first)))


def _select(graph: Algebra, node: Node, d: Node) -> Contributions:
    condition = node.args[0]
    return None, _where(graph, d, condition), _where(graph, d, _rest(graph, condition))


def _row_add(graph: Algebra, _node: Node, d: Node) -> Contributions:
    return d, graph.apply("row_sum", d)


def _row_mul(graph: Algebra, node: Node, d: Node) -> Contributions:
    a, scalar = node.args
    return graph.apply("mul", d, scalar), graph.apply("row_dot", d, a)


def _row_sum(graph: Algebra, node: Node, d: Node) -> Contributions:
    return (graph.node("spread", (d,), node.args[0].width),)


def _row_dot(graph: Algebra, node: Node, d: Node) -> Contributions:
    a, b = node.args
    return graph.apply("mul", b, d), graph.apply("mul", a, d)


def _row_largest(graph: Algebra, node: Node, d: Node) -> Contributions:
    """Equals share it, as in torch."""
    is_largest = graph.apply("equal", node.args[0], node)
    share = graph.apply("div", d, graph.apply("row_sum", is_largest))
    return (_where(graph, graph.apply("mul", is_largest, share), is_largest),)


def _clamp(graph: Algebra, node: Node, d: Node) -> Contributions:
    return (_where(graph, d, graph.apply("inside", node.args[0], data=node.data)),)


def _affine(graph: Algebra, node: Node, d: Node) -> Contributions:
    return (graph.affine(d, node.data[0]),)


def _spread(graph: Algebra, node: Node, d: Node) -> Contributions:
    return (d if node.width is Width.ONE else graph.apply("row_sum", d),)


def _nothing(_graph: Algebra, node: Node, _d: Node) -> Contributions:
    return (None,) * len(node.args)


_RULES: dict[str, Callable[[Algebra, Node, Node], Contributions]] = {
    "sigmoid": lambda graph, node, d: (graph.apply("dsigmoid", d, node),),
    "tanh": lambda graph, node, d: (graph.apply("dtanh", d, node),),
    "relu": lambda graph, node, d: (graph.apply("drelu", d, node),),
    "exp": _scaled_by(lambda _, node: node),
    "log": lambda graph, node, d: (graph.apply("div", d, node.args[0]),),
    "sqrt": lambda graph, node, d: (graph.apply("div", graph.affine(d, 0.5), node),),
    "rsqrt": _scaled_by(lambda graph, node: graph.affine(_cube(graph, node), -0.5)),
    "reciprocal": _scaled_by(lambda graph, node: graph.apply("neg", graph.apply("mul", node, node))),
    "abs": _scaled_by(lambda graph, node: graph.apply("sign", node.args[0])),
    "softplus": _scaled_by(lambda graph, node: graph.apply("sigmoid", node.args[0])),
    "erf": _scaled_by(lambda graph, node: _density(graph, node.args[0])),
    "sin": _scaled_by(lambda graph, node: graph.apply("cos", node.args[0])),
    "cos": _scaled_by(lambda graph, node: graph.apply("neg", graph.apply("sin", node.args[0]))),
    "neg": lambda graph, _, d: (graph.apply("neg", d),),
    "add": lambda _, __, d: (d, d),
    "sub": lambda graph, _, d: (d, graph.apply("neg", d)),
    "mul": _mul,
    "div": _div,
    "maximum": lambda graph, node, d: _larger(graph, node, d, 0),
    "minimum": lambda graph, node, d: _larger(graph, node, d, 1),
    "select": _select,
    "affine": _affine,
    "clamp": _clamp,
    "row_add": _row_add,
    "row_mul": _row_mul,
    "row_sum": _row_sum,
    "row_dot": _row_dot,
    "row_largest": _row_largest,
    "expm1": _scaled_by(lambda graph, node: graph.affine(node, 1, 1)),
    "log1p": lambda graph, node, d: (graph.apply("div", d, graph.affine(node.args[0], 1, 1)),),
    "atan": lambda graph, node, d: (graph.apply("div", d, _one_and_square(graph, node.args[0])),),
    "spread": _spread,
    **dict.fromkeys(
        ("sign", "inside", "above", "greater", "greater_equal", "equal", "fill", "nearest", "copy"), _nothing
    ),
}
