"""The order of a program: which segment each operation belongs to, and its place among the others there.

A segment ends where a matmul needs complete rows or a reduction has to be complete. Operations go as late as their
readers allow, but early where that leaves less to be carried from one segment to the next. It does not know places of
temporaries.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

from elman.engine.program.contract import Width
from elman.engine.program.draft import Draft
from elman.engine.program.graph import Node, readers
from elman.engine.program.operations import REDUCTIONS


class CycleError(Exception):
    """What must wait for what is circular."""


@dataclass
class Segment:
    """One pass over all columns of one width.

    Attributes:
        level: its place in the order; segments of one level do not depend on each other.
        width: of all its tiles.
        rows: operations on row scalars, done first.
        products: done first on each tile.
        tiles: done then on each tile, in order.

    """

    level: int
    width: Width
    rows: list[Node] = field(default_factory=list)
    products: list[Node] = field(default_factory=list)
    tiles: list[Node] = field(default_factory=list)

    @property
    def nodes(self) -> list[Node]:
        return self.rows + self.products + self.tiles


class _Order:
    """What must come before what, and by how many segments."""

    def __init__(self, draft: Draft) -> None:
        self.nodes = draft.nodes()
        self.before: dict[Node, dict[Node, int]] = {node: {} for node in self.nodes}
        self.after: dict[Node, dict[Node, int]] = {node: {} for node in self.nodes}
        for node in self.nodes:
            for arg in node.args:
                if arg in self.before:
                    self._edge(arg, node, int(node.op == "product" or arg.op in REDUCTIONS))
        for reader, writer in draft.waits:
            self._edge(reader, writer, int("product" in {reader.op, writer.op}))

    def _edge(self, first: Node, second: Node, gap: int) -> None:
        gap = max(gap, self.before[second].get(first, 0))
        self.before[second][first] = gap
        self.after[first][second] = gap

    def topological(self) -> Iterator[Node]:
        waiting = {node: len(self.before[node]) for node in self.nodes}
        ready = [(node.id, node) for node in self.nodes if not waiting[node]]
        heapify(ready)
        done = 0
        while ready:
            _, node = heappop(ready)
            done += 1
            yield node
            for following in self.after[node]:
                waiting[following] -= 1
                if not waiting[following]:
                    heappush(ready, (following.id, following))
        if done < len(self.nodes):
            raise CycleError


def earliest(draft: Draft) -> dict[Node, int]:
    """The first segment that each operation could be in, counted from 0, in an order in which they can be done."""
    return _earliest(_Order(draft))


def _earliest(order: _Order) -> dict[Node, int]:
    level: dict[Node, int] = {}
    for node in order.topological():
        level[node] = max((level[first] + gap for first, gap in order.before[node].items()), default=0)
    return level


def _levels(draft: Draft) -> dict[Node, int]:
    """The segment of each operation: the latest that does not delay anything that must be written."""
    order = _Order(draft)
    level = _earliest(order)
    fixed = {*draft.targets, *draft.accumulations}
    for node in reversed(list(level)):
        if node not in fixed:
            level[node] = min(level[second] - gap for second, gap in order.after[node].items())
    for node in level:
        if node not in fixed and node.op != "product":
            level[node] = _hoisted(draft, order, level, node)
    return level


def _hoisted(draft: Draft, order: _Order, level: dict[Node, int], node: Node) -> int:
    """An earlier segment, if from there one value has to be carried on where now at least one operand is."""
    first = max((level[before] + gap for before, gap in order.before[node].items()), default=level[node])
    short = [arg for arg in node.args if arg in level and arg not in draft.targets]
    ends = any(all(level[reader] <= first for reader in order.after[arg] if reader is not node) for arg in short)
    return first if ends else level[node]


def schedule(draft: Draft) -> list[Segment]:
    """The segments of a program, in order; raises CycleError if there is no order."""
    level = _levels(draft)
    segments: dict[tuple[int, Width], Segment] = {}
    scalars: dict[int, list[Node]] = {}
    for node in level:
        if node.width is Width.ONE and node.op not in REDUCTIONS:
            scalars.setdefault(level[node], []).append(node)
            continue
        width = node.args[0].width if node.op in REDUCTIONS else node.width
        segment = segments.setdefault((level[node], width), Segment(level[node], width))
        (segment.products if node.op == "product" else segment.tiles).append(node)
    for step in scalars.keys() - {key[0] for key in segments}:
        segments[step, Width.H] = Segment(step, Width.H)
    ordered = [segments[key] for key in sorted(segments)]
    for step, nodes in scalars.items():
        next(segment for segment in ordered if segment.level == step).rows = sorted(nodes, key=lambda node: node.id)
    for segment in ordered:
        segment.products.sort(key=lambda node: node.id)
        segment.tiles = _arranged(draft, segment)
    return ordered


def _arranged(draft: Draft, segment: Segment) -> list[Node]:
    """The tile operations, so that few temporaries live at a time: first what frees more than it makes."""
    left = readers(segment.tiles)
    after = {node: {*left.get(node, ())} for node in segment.tiles}
    for reader, writer in draft.waits:
        if reader in after and writer in after:
            after[reader].add(writer)
    waiting = Counter(following for others in after.values() for following in others)
    short = {node for node in left if node not in draft.homes and node not in draft.targets}

    def entry(node: Node) -> tuple[int, int, Node]:
        freed = sum(len(left[arg]) == 1 for arg in short.intersection(node.args))
        return int(node in short) - freed, node.id, node

    ready = [entry(node) for node in segment.tiles if not waiting[node]]
    heapify(ready)
    arranged: dict[Node, None] = {}
    while ready:
        _, _, chosen = heappop(ready)
        if chosen in arranged:
            continue
        arranged[chosen] = None
        waiting.subtract(after[chosen])
        changed = [node for node in after[chosen] if not waiting[node]]
        for arg in short.intersection(chosen.args):
            left[arg].discard(chosen)
            if len(left[arg]) == 1:  # once more, if it is ready, as it comes sooner now
                changed += [node for node in left[arg] if not waiting[node]]
        for node in changed:
            heappush(ready, entry(node))
    return list(arranged)
