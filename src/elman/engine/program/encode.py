"""A placed program as the two flat arrays that the runtime reads; docs/engine.md describes every number."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from elman.engine.program.contract import HEADER, VERSION, Header, Kind, Parameter, Place, Purpose, Source, Width
from elman.engine.program.draft import Terms
from elman.engine.program.operations import OPERATIONS
from elman.engine.program.place import Instruction, Pass
from elman.engine.program.symbol import Sizes


@dataclass(frozen=True)
class State:
    """What the runtime must know of a state: its width, whether it may be updated in place, what backward reads."""

    width: Width
    in_place: bool
    reads_before: bool
    reads_after: bool


@dataclass(frozen=True)
class Program:
    """One program.

    Attributes:
        passes: what it does, for people.
        ints: what it does, for the runtime; int32.
        reals: its immediates; float64.

    """

    passes: tuple[Pass, ...]
    ints: npt.NDArray[np.int32]
    reals: npt.NDArray[np.float64]

    @property
    def operations(self) -> int:
        """How many operations are done on each tile, accumulations left out."""
        tiles = [instruction for each in self.passes for instruction in each.tiles]
        return sum(instruction.out.kind is not Kind.ACC for instruction in tiles)


@dataclass(frozen=True)
class Tables:
    """What the programs of a cell share."""

    sizes: Sizes
    parameters: tuple[Parameter, ...]
    vectors: tuple[tuple[Width, Terms], ...]
    extras: int
    counts: dict[Kind, int]
    """The number of blocks of each array of the tape and of gradients."""


SCRATCH = {
    Header.SLOTS: Kind.SLOT,
    Header.TEMPS: Kind.TEMP,
    Header.FULLS: Kind.FULL,
    Header.ROWS: Kind.ROW,
}
"""The places that live for a tile or a step, of which the header says how many a program needs."""


class _Encoder:
    def __init__(self) -> None:
        self.operands: dict[Place, int] = {}
        self.pool: list[int] = []
        self.reals: list[float] = []
        self.products: list[list[int]] = []
        self.operations: list[list[int]] = []

    def operand(self, place: Place | None) -> int:
        return -1 if place is None else self.operands.setdefault(place, len(self.operands))

    def pooled(self, numbers: list[int]) -> int:
        self.pool += numbers
        return len(self.pool) - len(numbers)

    def instruction(self, instruction: Instruction) -> None:
        args = [self.operand(place) for place in instruction.args]
        real = -1
        if instruction.data:
            real = len(self.reals)
            self.reals += instruction.data
        self.operations.append(
            [OPERATIONS[instruction.op].code, self.operand(instruction.out), *args, *[-1] * (5 - len(args)), real]
        )

    def segment(self, each: Pass) -> list[int]:
        record: list[int] = [each.width, len(self.products), len(each.products)]
        for product in each.products:
            numbers: list[int] = []
            for source, place in product.sources:
                numbers += [source.form, self.operand(place), source.parameter, len(source.blocks), *source.blocks]
            out, init = self.operand(product.out), self.operand(product.init)
            self.products.append([out, init, len(product.sources), self.pooled(numbers)])
        for instructions in (each.rows, each.tiles):
            record += [len(self.operations), len(instructions)]
            for instruction in instructions:
                self.instruction(instruction)
        return [*record, 0]


def encode(
    purpose: Purpose,
    passes: list[Pass],
    tables: Tables,
    states: list[State],
    weights: list[tuple[Source, Place, Place]],
) -> Program:
    """The program in numbers; `weights` has, for each weight gradient, matrix and blocks, gradient and value."""
    encoder = _Encoder()
    segments = [encoder.segment(each) for each in passes]
    gradients = [
        [
            *(source.parameter, encoder.operand(grad)),
            *(len(source.blocks), encoder.pooled(list(source.blocks)), encoder.operand(value)),
        ]
        for source, grad, value in weights
    ]
    vectors = [
        [width, len(terms), encoder.pooled([number for term in terms for number in term])]
        for width, terms in tables.vectors
    ]
    records: dict[Header, list[list[int]]] = {
        Header.PARAMETERS: [
            [p.rank, p.rows, p.blocks, -1 if p.columns is None else p.columns] for p in tables.parameters
        ],
        Header.STATES: [[state.width, state.in_place, state.reads_before, state.reads_after] for state in states],
        Header.VECTORS: vectors,
        Header.OPERANDS: [[place.kind, place.number, place.width, 0] for place in encoder.operands],
        Header.SEGMENTS: segments,
        Header.WEIGHT_GRADIENTS: gradients,
        Header.PRODUCTS: encoder.products,
        Header.OPERATIONS: encoder.operations,
    }
    header = [0] * HEADER
    body: list[int] = []
    for table, own in records.items():
        header[table : table + 2] = [HEADER + len(body), len(own)]
        body += [number for record in own for number in record]
    header[Header.POOL] = HEADER + len(body)
    body += encoder.pool
    header[Header.VERSION], header[Header.PURPOSE] = VERSION, purpose
    header[Header.H], header[Header.P] = tables.sizes[Width.H], tables.sizes[Width.P]
    for scratch, kind in SCRATCH.items():
        header[scratch] = 1 + max((place.number for place in encoder.operands if place.kind is kind), default=-1)
    for kind, count in tables.counts.items():
        header[Header[kind.name]] = count
    header[Header.OVERLAY], header[Header.EXTRAS] = 1, tables.extras
    return Program(tuple(passes), np.array(header + body, dtype=np.int32), np.array(encoder.reals, dtype=np.float64))
