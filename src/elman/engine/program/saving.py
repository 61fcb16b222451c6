"""What of the step is kept for its adjoint, and what the adjoint computes again.

The cost model: a value that is kept is written once and read once, which for 16 floats takes about as long as `LIMIT`
says; so what follows from kept values in less time than that is computed again. States are in memory anyway, results of
matmuls and of reductions over a row are never computed again, and row scalars are too small to count.
"""

import math
from collections import Counter
from collections.abc import Iterable

from elman.engine.program.contract import Width
from elman.engine.program.graph import Node, reachable
from elman.engine.program.operations import ACCUMULATIONS, LEAVES, OPERATIONS

LIMIT = 8.0
"""Nanoseconds: 16 floats written to memory and read back, at about 20 GB/s for each thread."""


def _cost(node: Node, given: set[Node], costs: dict[Node, float]) -> float:
    """What it costs to have a value again, beside what is given; `costs` has that of its operands."""
    if node in given or node.op in LEAVES or node.width is Width.ONE:
        return 0.0
    if node.op == "product":
        return math.inf
    return OPERATIONS[node.op].cost + sum(costs[arg] for arg in node.args)


def choose_saved(step: Iterable[Node], after: Iterable[Node], roots: Iterable[Node], factors: set[Node]) -> set[Node]:
    """The nodes of the step that are kept.

    Args:
        step: all nodes of the step.
        after: its states after it.
        roots: what the adjoint must compute.
        factors: what weight gradients are multiplied with.

    """
    step, roots = set(step), list(roots)
    free = {node for node in after if node.op not in LEAVES}
    forced = {node for node in factors if node.op not in LEAVES and node not in free}
    backward = reachable(roots, lambda node: node in step)
    needed = {node for node in backward if node in step and node.width is not Width.ONE}
    given, costs = free | forced, dict[Node, float]()
    for node in reachable(needed):
        costs[node] = _cost(node, given, costs)
        if node in needed and costs[node] > LIMIT:
            given.add(node)
            costs[node] = 0.0
    kept = _fewer(given - free, forced, free, needed, step)
    used = reachable(roots, lambda node: node in free or node in kept or (node.width is Width.ONE and node in step))
    return {node for node in used if node in kept or _is_kept_scalar(node, step)} - free | forced


def _is_kept_scalar(node: Node, step: set[Node]) -> bool:
    computed = node.op not in LEAVES and node.op not in ACCUMULATIONS
    return node.width is Width.ONE and node in step and computed


def _fewer(kept: set[Node], forced: set[Node], free: set[Node], needed: set[Node], step: set[Node]) -> set[Node]:
    """Keep instead a common source of several kept values, where they all follow from it cheaply."""
    candidates = sorted((node for node in step - kept - free if node.width is not Width.ONE), key=lambda node: node.id)
    common = _common(kept - forced, kept | free)
    for candidate in candidates:
        if candidate.op in LEAVES or candidate not in common:
            continue
        trial = kept | {candidate}
        for node in sorted(kept - forced, key=lambda node: -node.id):
            if _is_enough(free | trial - {node}, needed):
                trial = trial - {node}
        if len(trial) < len(kept):
            kept = trial
            common = _common(kept - forced, kept | free)
    return kept


def _is_enough(given: set[Node], needed: set[Node]) -> bool:
    """Whether all that is needed follows cheaply from what is given."""
    costs: dict[Node, float] = {}
    for node in reachable(needed):
        costs[node] = _cost(node, given, costs)
        if node in needed and costs[node] > LIMIT:
            return False
    return True


def _common(values: set[Node], given: set[Node]) -> set[Node]:
    """What at least two of these values follow from, beside what is given."""
    counts: Counter[Node] = Counter()
    for value in values:
        counts.update(reachable(value.args, given.__contains__))
    return {node for node, count in counts.items() if count > 1}
