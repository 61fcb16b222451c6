"""What of the step is kept for its adjoint, and what the adjoint computes again.

The cost model: a value that is kept is written once and read once, which for 16 floats takes about as long as `LIMIT`
says; so what follows from kept values in less time than that is computed again. States are in memory anyway, results of
matmuls and of reductions over a row are never computed again, and row scalars are too small to count.
"""

import math
from collections.abc import Iterable

from elman.engine.program.contract import Width
from elman.engine.program.graph import Node, reachable
from elman.engine.program.operations import ACCUMULATIONS, LEAVES, OPERATIONS

LIMIT = 8.0
"""Nanoseconds: 16 floats written to memory and read back, at about 20 GB/s for each thread."""


class _Costs:
    """What it costs to have a value again, given what is kept."""

    def __init__(self, free: set[Node], kept: set[Node]) -> None:
        self.free = free
        self.kept = kept
        self.known: dict[Node, float] = {}

    def of(self, node: Node) -> float:
        if node not in self.known:
            self.known[node] = self._compute(node)
        return self.known[node]

    def _compute(self, node: Node) -> float:
        if node in self.free or node in self.kept or node.op in LEAVES or node.width is Width.ONE:
            return 0.0
        if node.op == "product":
            return math.inf
        return OPERATIONS[node.op].cost + sum(self.of(arg) for arg in node.args)


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
    needed = [node for node in backward if node in step and node.op not in LEAVES and node not in free]
    kept = set(forced)
    for node in needed:
        if node.width is not Width.ONE and _Costs(free, kept).of(node) > LIMIT:
            kept.add(node)
    kept = _fewer(kept, forced, free, needed, step)
    used = reachable(roots, lambda node: node in free or node in kept or (node.width is Width.ONE and node in step))
    return {node for node in used if node in kept or _is_kept_scalar(node, step)} - free | forced


def _is_kept_scalar(node: Node, step: set[Node]) -> bool:
    computed = node.op not in LEAVES and node.op not in ACCUMULATIONS
    return node.width is Width.ONE and node in step and computed


def _fewer(kept: set[Node], forced: set[Node], free: set[Node], needed: list[Node], step: set[Node]) -> set[Node]:
    """Keep instead a common source of several kept values, where they all follow from it cheaply."""
    candidates = sorted((node for node in step - kept - free if node.width is not Width.ONE), key=lambda node: node.id)
    for candidate in candidates:
        if candidate.op in LEAVES:
            continue
        trial = kept | {candidate}
        for node in sorted(kept - forced, key=lambda node: -node.id):
            costs = _Costs(free, trial - {node})
            if all(costs.of(other) <= LIMIT for other in needed if other.width is not Width.ONE):
                trial = trial - {node}
        if len(trial) < len(kept):
            kept = trial
    return kept
