"""The numbers that docs/engine.md fixes: what the compiler writes and the runtime reads.

It knows no cell, no graph and no operation's meaning.
"""

from enum import IntEnum
from typing import NamedTuple

VERSION = 1
HEADER = 32


class Purpose(IntEnum):
    """What a program is for."""

    TRAINING = 0
    INFERENCE = 1
    BACKWARD = 2


class Width(IntEnum):
    """How many columns a value has: hidden size, output size, input size, or one (a row scalar)."""

    H = 0
    P = 1
    I = 2  # noqa: E741 - the legend's letter
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


# The fields of each record, in order.
PARAMETERS, STATES, VECTORS, OPERANDS, SEGMENTS, PRODUCTS, OPERATIONS, WEIGHT_GRADIENTS = 4, 4, 3, 4, 8, 4, 8, 5
