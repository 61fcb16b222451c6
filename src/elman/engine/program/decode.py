"""An encoded program, read back from its numbers alone: what the runtime sees of it."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from elman.engine.program.contract import HEADER, RECORD, VERSION, Header, Kind, Place, Width
from elman.engine.program.operations import BY_CODE, OPERATIONS


class Line(NamedTuple):
    """One operation."""

    op: str
    out: Place
    args: list[Place]
    immediates: list[float]


class Piece(NamedTuple):
    """One source of a product."""

    form: int
    value: Place
    parameter: int
    blocks: list[int]


class Matmul(NamedTuple):
    """One product."""

    out: Place
    init: Place | None
    sources: list[Piece]


class Part(NamedTuple):
    """One segment."""

    width: Width
    products: list[Matmul]
    rows: list[Line]
    tiles: list[Line]


class Large(NamedTuple):
    """One weight gradient."""

    parameter: int
    gradient: Place
    blocks: list[int]
    value: Place


@dataclass(frozen=True)
class Decoded:
    """A program's tables."""

    parameters: list[list[int]]
    states: list[list[int]]
    vectors: list[list[tuple[int, int]]]
    segments: list[Part]
    weights: list[Large]
    header: list[int]


def decode(ints: npt.NDArray[np.int32], reals: npt.NDArray[np.float64]) -> Decoded:
    """Read a program; refuses another version's."""
    return _Reader(ints.tolist(), reals.tolist()).read()


class _Reader:
    def __init__(self, ints: list[int], reals: list[float]) -> None:
        if ints[Header.VERSION] != VERSION:
            raise ValueError(f"A program of version {ints[Header.VERSION]}; this is version {VERSION}.")
        self.ints = ints
        self.reals = reals
        self.places = [Place(Kind(kind), index, Width(width)) for kind, index, width, _ in self.table(Header.OPERANDS)]
        self.operations = [self.line(record) for record in self.table(Header.OPERATIONS)]
        self.products = [self.matmul(record) for record in self.table(Header.PRODUCTS)]

    def table(self, table: Header) -> list[list[int]]:
        start, count, size = self.ints[table], self.ints[table + 1], RECORD[table]
        return [self.ints[start + size * k : start + size * (k + 1)] for k in range(count)]

    def pool(self, at: int, count: int) -> list[int]:
        start = self.ints[Header.POOL] + at
        return self.ints[start : start + count]

    def place(self, number: int) -> Place | None:
        return None if number < 0 else self.places[number]

    def line(self, record: list[int]) -> Line:
        code, out, *args, real = record
        op = BY_CODE[code]
        count = 0 if real < 0 else 1 if op == "fill" else 2
        used = args[: OPERATIONS[op].arity]
        assert all(arg >= 0 for arg in used)
        assert all(arg < 0 for arg in args[len(used) :])
        return Line(op, self.places[out], [self.places[arg] for arg in used], self.reals[real : real + count])

    def matmul(self, record: list[int]) -> Matmul:
        out, init, count, at = record
        pieces = []
        for _ in range(count):
            form, value, parameter, blocks = self.pool(at, 4)
            pieces.append(Piece(form, self.places[value], parameter, self.pool(at + 4, blocks)))
            at += 4 + blocks
        return Matmul(self.places[out], self.place(init), pieces)

    def segment(self, record: list[int]) -> Part:
        width, product, products, row, rows, tile, tiles, _ = record
        return Part(
            Width(width),
            self.products[product : product + products],
            self.operations[row : row + rows],
            self.operations[tile : tile + tiles],
        )

    def read(self) -> Decoded:
        vectors = [self.pool(at, 2 * count) for _, count, at in self.table(Header.VECTORS)]
        return Decoded(
            self.table(Header.PARAMETERS),
            self.table(Header.STATES),
            [list(zip(terms[::2], terms[1::2], strict=True)) for terms in vectors],
            [self.segment(record) for record in self.table(Header.SEGMENTS)],
            [
                Large(parameter, self.places[gradient], self.pool(at, count), self.places[value])
                for parameter, gradient, count, at, value in self.table(Header.WEIGHT_GRADIENTS)
            ],
            self.ints[:HEADER],
        )
