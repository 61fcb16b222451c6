"""A place for every value of a scheduled program: where it must lie, or scratch that is used again once it is free.

An operation may write over an operand of its own that is read for the last time. It does not know the encoding.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import heappop, heappush

from elman.engine.program.contract import Kind, Place, Source, Width
from elman.engine.program.draft import Draft, Terms, terms_of
from elman.engine.program.graph import Node, product_init, product_sources, readers
from elman.engine.program.operations import ACCUMULATIONS, REDUCTIONS
from elman.engine.program.schedule import Segment


@dataclass(frozen=True)
class Instruction:
    """One operation on places."""

    op: str
    out: Place
    args: tuple[Place, ...]
    data: tuple[float, ...] = ()


@dataclass(frozen=True)
class Product:
    """One matmul: where it goes, what it starts from, and its sources, each with the place of its first block."""

    out: Place
    init: Place | None
    sources: tuple[tuple[Source, Place], ...]


@dataclass
class Pass:
    """A segment in places."""

    width: Width
    rows: list[Instruction] = field(default_factory=list)
    products: list[Product] = field(default_factory=list)
    tiles: list[Instruction] = field(default_factory=list)


class _Pool:
    """Numbers that are given out, and given out again once they are free."""

    def __init__(self) -> None:
        self.free: list[int] = []
        self.count = 0

    def take(self) -> int:
        if self.free:
            return heappop(self.free)
        self.count += 1
        return self.count - 1

    def give_back(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            heappush(self.free, number)


class _Placement:
    def __init__(self, draft: Draft, segments: list[Segment], vectors: list[Terms]) -> None:
        self.draft = draft
        self.segments = segments
        self.vectors = vectors
        self.places: dict[Node, Place] = {**draft.homes, **draft.targets}
        self.segment_of = {node: number for number, segment in enumerate(segments) for node in segment.nodes}
        self.last: dict[Node, int] = {}  # the last segment that reads a node
        for node, number in self.segment_of.items():
            for arg in node.args:
                self.last[arg] = max(self.last.get(arg, 0), number)
        self.rows = _Pool()
        self.full = _Pool()
        self.lent: list[tuple[int, int]] = []

    def run(self) -> list[Pass]:
        passes = []
        for number, segment in enumerate(self.segments):
            for end, index in list(self.lent):
                if end < number:
                    self.lent.remove((end, index))
                    self.full.give_back([index])
            passes.append(self._pass(number, segment))
        return passes

    def _pass(self, number: int, segment: Segment) -> Pass:
        made = Pass(segment.width)
        sums = [node for node in segment.tiles if node.op in REDUCTIONS]
        for node in sums + segment.rows:
            if node not in self.places:
                self.places[node] = Place(Kind.ROW, self.rows.take(), Width.ONE)
        made.rows = [Instruction("fill", self.places[node], (), (REDUCTIONS[node.op],)) for node in sums]
        made.rows += [self._instruction(node) for node in segment.rows]
        slots = _Pool()
        for node in segment.products:
            if node not in self.places:
                self.places[node] = self._long(number, node) or Place(Kind.SLOT, slots.take(), node.width)
            made.products.append(self._product(node))
        self._tiles(number, segment, made)
        return made

    def _long(self, number: int, node: Node) -> Place | None:
        """Whole rows, for a value that a later segment reads and that lies nowhere else."""
        last = self.last.get(node, number)
        if last == number or node in self.places:
            return None
        index = self.full.take()
        self.lent.append((last, index))
        return Place(Kind.FULL, index, node.width)

    def _tiles(self, number: int, segment: Segment, made: Pass) -> None:
        temps = _Pool()
        read = readers(segment.tiles)
        left = {node: len(read.get(node, ())) for node in segment.nodes}
        for node in segment.tiles:
            dying = []
            for arg in dict.fromkeys(node.args):
                if arg in left:
                    left[arg] -= 1
                    if not left[arg] and self.places[arg].kind in {Kind.TEMP, Kind.SLOT}:
                        dying.append(self.places[arg])
            if node not in self.places and node.op not in ACCUMULATIONS:
                place = self._long(number, node)
                if place is None and dying:
                    place = dying.pop(0)
                self.places[node] = place or Place(Kind.TEMP, temps.take(), node.width)
            made.tiles.append(self._instruction(node))
            temps.give_back(place.number for place in dying if place.kind is Kind.TEMP)

    def _instruction(self, node: Node) -> Instruction:
        args = tuple(self.places[arg] for arg in node.args)
        if node.op in ACCUMULATIONS:
            return Instruction(node.op, Place(Kind.ACC, self.vectors.index(terms_of(node)), node.width), args)
        return Instruction(node.op, self.places[node], args, node.data)

    def _product(self, node: Node) -> Product:
        init = product_init(node)
        sources: list[tuple[Source, Place]] = []
        for source, values in product_sources(node):
            sources += runs(source, [self.places[value] for value in values])
        return Product(self.places[node], None if init is None else self.places[init], tuple(sources))


def runs(source: Source, places: list[Place]) -> list[tuple[Source, Place]]:
    """A source cut so that the places of each piece are side by side and no block of the matrix comes twice in one."""
    if source.form == 0:
        return [(source, places[0])]
    entries = sorted(zip(places, source.blocks, strict=True))
    cut: list[list[tuple[Place, int]]] = []
    for place, block in entries:
        last = cut[-1] if cut else []
        follows = bool(last) and last[-1][0] == place._replace(number=place.number - 1)
        if follows and place.kind in {Kind.GRAD, Kind.GRAD_P} and block not in [number for _, number in last]:
            last.append((place, block))
        else:
            cut.append([(place, block)])
    return [(Source(1, source.parameter, tuple(block for _, block in piece)), piece[0][0]) for piece in cut]


def place(draft: Draft, segments: list[Segment], vectors: list[Terms]) -> list[Pass]:
    """The program in places; `vectors` is the table that vectors are numbered by."""
    return _Placement(draft, segments, vectors).run()


def in_place(passes: list[Pass]) -> set[int]:
    """The states that may be written over, after the step, where they lay before it."""
    written: dict[int, tuple[int, int]] = {}
    read: dict[int, tuple[int, int]] = {}

    def see(at: tuple[int, int], out: Place, last: tuple[int, int], args: Iterable[Place | None]) -> None:
        if out.kind is Kind.NEXT:
            written[out.number] = at
        for place in args:
            if place is not None and place.kind is Kind.PREV:
                read[place.number] = max(last, read.get(place.number, last))

    for number, each in enumerate(passes):
        end = (number, len(each.tiles))  # a product reads whole rows
        for position, product in enumerate(each.products, start=-len(each.products)):
            see((number, position), product.out, end, [product.init, *[place for _, place in product.sources]])
        for position, instruction in enumerate(each.tiles):
            see((number, position), instruction.out, (number, position), instruction.args)
    return {state for state, at in written.items() if read.get(state, at) <= at}
