"""Products that are only added up become one product with several sources, whose start is the sum of their biases.

So W_ih x + b_ih + W_hh h + b_hh is one pass over one place. Knows nothing of differentiation or programs.
"""

from elman.engine.program.algebra import Algebra
from elman.engine.program.contract import Source, Width
from elman.engine.program.graph import Node, product_init, product_sources, reachable, rebuilt, uses


def merge_products(graph: Algebra, roots: tuple[Node, ...]) -> tuple[Node, ...]:
    """The same values, computed with fewer products."""
    nodes = reachable(roots)
    counts = uses(nodes, roots)
    inside = {arg for node in nodes if node.op == "add" for arg in node.args if arg.op == "add" and counts[arg] == 1}
    made: dict[Node, Node] = {}
    for node in nodes:
        if node.op == "add" and node not in inside:
            made[node] = _merged(graph, _terms(node, inside, counts), made)
        else:
            made[node] = rebuilt(graph, node, made)
    return tuple(made[root] for root in roots)


def _terms(node: Node, inside: set[Node], counts: dict[Node, int]) -> list[tuple[Node, bool]]:
    """What a chain of additions adds up, each with whether nothing else uses it."""
    found: list[tuple[Node, bool]] = []
    left = [*reversed(node.args)]
    while left:
        arg = left.pop()
        if arg in inside:
            left += reversed(arg.args)
        else:
            found.append((arg, counts[arg] == 1))
    return found


def _merged(graph: Algebra, terms: list[tuple[Node, bool]], made: dict[Node, Node]) -> Node:
    products = [made[node] for node, alone in terms if alone and node.op == "product"]
    vectors = [made[node] for node, _ in terms if node.op == "vector"]
    rest = [made[node] for node, alone in terms if not (alone and node.op == "product") and node.op != "vector"]
    if products:
        rest.insert(0, _one(graph, products, vectors))
    else:
        rest += vectors
    return graph.total(rest)


def _one(graph: Algebra, products: list[Node], vectors: list[Node]) -> Node:
    sources: list[tuple[Source, tuple[Node, ...]]] = []
    width: Width = products[0].width
    starts = list(vectors)
    for product in products:
        sources += product_sources(product)
        init = product_init(product)
        if init is not None:
            starts.append(init)
    return graph.product(sources, graph.total(starts) if starts else None, width)
