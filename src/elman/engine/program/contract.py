"""The numbers that docs/engine.md fixes: what the compiler writes and the runtime reads.

It knows no cell, no graph and no operation's meaning.
"""

from enum import IntEnum
from typing import NamedTuple

VERSION = 1


class Header(IntEnum):
    """What stands where in the header of a program.

    Of a table (the keys of `RECORD`) it is the offset, and the number of its records comes right after it.
    """

    VERSION = 0
    PURPOSE = 1
    H = 2
    P = 3
    PARAMETERS = 4
    STATES = 6
    VECTORS = 8
    OPERANDS = 10
    SEGMENTS = 12
    WEIGHT_GRADIENTS = 14
    SLOTS = 16
    TEMPS = 17
    FULLS = 18
    ROWS = 19
    TAPE = 20
    TAPE_P = 21
    TAPE_ROW = 22
    GRAD = 23
    GRAD_P = 24
    OVERLAY = 25
    EXTRAS = 26
    PRODUCTS = 27
    OPERATIONS = 29
    POOL = 31


HEADER = 32
"""The size of the header, in ints."""

RECORD = {
    Header.PARAMETERS: 4,
    Header.STATES: 4,
    Header.VECTORS: 3,
    Header.OPERANDS: 4,
    Header.SEGMENTS: 8,
    Header.WEIGHT_GRADIENTS: 5,
    Header.PRODUCTS: 4,
    Header.OPERATIONS: 8,
}
"""The size of a record of each table, in ints."""


class Purpose(IntEnum):
    """What a program is for."""

    TRAINING = 0
    INFERENCE = 1
    BACKWARD = 2


class Width(IntEnum):
    """How many columns a value has: hidden size, output size, input size, or one (a row scalar)."""

    H = 0
    P = 1
    I = 2
    ONE = 3


class Kind(IntEnum):
    """The kinds of places that operands are."""

    INPUT = 0
    PREV = 1
    NEXT = 2
    TAPE = 3
    TAPE_P = 4
    TAPE_ROW = 5
    GRAD = 6
    GRAD_P = 7
    DSTATE = 8
    CARRY = 9
    DINPUT = 10
    VECTOR = 11
    ACC = 12
    SLOT = 13
    TEMP = 14
    FULL = 15
    ROW = 16
    EXTRA = 17
    ADJOINT = 18
    DEXTRA = 19


class Place(NamedTuple):
    """Where a value lies: the kind of place, which one of these, and how many columns it has."""

    kind: Kind
    number: int
    width: Width


class Source(NamedTuple):
    """What one product multiplies: blocks of a matrix's rows, transposed (form 1) or not (form 0)."""

    form: int
    parameter: int
    blocks: tuple[int, ...]


class Parameter(NamedTuple):
    """One weight, in blocks of rows.

    Attributes:
        name: the field of the cell's weights.
        rank: 1 for a vector, 2 for a matrix.
        rows: the width of a block of rows.
        blocks: how many there are.
        columns: the width of a row of a matrix; None for a vector.

    """

    name: str
    rank: int
    rows: Width
    blocks: int
    columns: Width | None
