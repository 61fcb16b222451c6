"""The memory that a program works on, for the emulator: every kind of place, as tensors full of NaN until written.

It does not know what is computed.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from elman.engine.program.contract import Header, Kind, Place, Width
from elman.engine.program.decode import Decoded

_DIED_WITH_TILE = (Kind.SLOT, Kind.TEMP)
_BLOCKS = (Kind.TAPE, Kind.TAPE_P, Kind.TAPE_ROW, Kind.GRAD, Kind.GRAD_P)
_DIED_WITH_STEP = (Kind.FULL, Kind.ROW)


class Memory:
    """Places in time, of rows sorted by length.

    Attributes:
        columns: the number of columns of each width.
        timed: arrays by (kind, index), (T, B, n); of histories (T + 1, B, n).
        lasting: arrays that have no time, by (kind, index): (B, n), or (n,) of vectors and accumulators.
        fresh: (T, B) bool, or None: before which steps the state is zeroed.

    """

    def __init__(self, columns: dict[Width, int], *, reverse: bool, fresh: Tensor | None) -> None:
        self.columns = columns
        self.timed: dict[tuple[Kind, int], Tensor] = {}
        self.lasting: dict[tuple[Kind, int], Tensor] = {}
        self.fresh = fresh
        self.reverse = reverse
        self.time = 0
        self.rows = 0
        self._scratch: dict[tuple[Kind, int], Tensor] = {}

    def blocks(self, kind: Kind, steps: int, batch: int, count: int, width: Width) -> None:
        """An array of blocks side by side."""
        shape = (steps, batch, count * self.columns[width])
        self.timed[kind, 0] = torch.full(shape, math.nan, dtype=torch.float64)

    def begin_step(self, time: int, rows: int) -> None:
        self.time, self.rows = time, rows
        self._scratch = {}

    def begin_tile(self) -> None:
        for key in [key for key in self._scratch if key[0] in _DIED_WITH_TILE]:
            del self._scratch[key]

    def view(self, place: Place, columns: slice, blocks: int = 1) -> Tensor:
        """The place's columns for all rows of this step: (rows, n); (n,) of a vector; (rows, 1) of a row scalar."""
        kind, index, width = place
        size = self.columns[width]
        if kind in _DIED_WITH_TILE or kind in _DIED_WITH_STEP:
            return self._scratch_view(place, columns)
        if kind in _BLOCKS:
            found = self.timed[kind, 0][self.time, : self.rows, index * size : (index + blocks) * size]
            return found if blocks > 1 or width is Width.ONE else found[:, columns]
        assert blocks == 1
        if width is Width.ONE:
            columns = slice(None)
        if (kind, index) in self.lasting:
            found = self.lasting[kind, index]
            return found[columns] if found.dim() == 1 else found[: self.rows, columns]
        if kind is Kind.PREV:
            return self.before(index, self.time)[: self.rows, columns]
        place_in_time = self.time + (kind is Kind.NEXT and not self.reverse)
        return self.timed[kind, index][place_in_time, : self.rows, columns]

    def before(self, state: int, time: int) -> Tensor:
        """A state as the step at that time sees it, (B, n)."""
        value = self.timed[Kind.PREV, state][time + self.reverse]
        return value if self.fresh is None else value.masked_fill(self.fresh[time, :, None], 0)

    def _scratch_view(self, place: Place, columns: slice) -> Tensor:
        key = (place.kind, place.number)
        tile = place.kind in _DIED_WITH_TILE
        size = len(range(*columns.indices(self.columns[place.width]))) if tile else self.columns[place.width]
        if key not in self._scratch or self._scratch[key].shape[1] != size:
            self._scratch[key] = torch.full((self.rows, size), math.nan, dtype=torch.float64)
        return self._scratch[key] if tile or place.width is Width.ONE else self._scratch[key][:, columns]


def tape(memory: Memory, program: Decoded, steps: int, batch: int) -> None:
    """Make the arrays that training saves to."""
    header = program.header
    memory.blocks(Kind.TAPE, steps, batch, max(header[Header.TAPE], header[Header.GRAD]), Width.H)
    memory.blocks(Kind.TAPE_P, steps, batch, header[Header.TAPE_P], Width.P)
    memory.blocks(Kind.TAPE_ROW, steps, batch, header[Header.TAPE_ROW], Width.ONE)


def gradients(memory: Memory, program: Decoded, *, overlay: bool) -> None:
    """Make the arrays of gradients; over the tape if asked for."""
    steps, batch, _ = memory.timed[Kind.TAPE, 0].shape
    header = program.header
    memory.blocks(Kind.GRAD, steps, batch, header[Header.GRAD], Width.H)
    memory.blocks(Kind.GRAD_P, steps, batch, header[Header.GRAD_P], Width.P)
    if overlay:
        assert header[Header.OVERLAY]
        memory.timed[Kind.GRAD, 0] = memory.timed[Kind.TAPE, 0]


def vectors(memory: Memory, program: Decoded, parameters: Sequence[Tensor]) -> None:
    """Add up the parameter vectors."""
    for index, terms in enumerate(program.vectors):
        pieces = [block(parameters[p], program.parameters[p], b, memory.columns) for p, b in terms]
        memory.lasting[Kind.VECTOR, index] = torch.stack(pieces).sum(0)


def block(tensor: Tensor, record: list[int], index: int, columns: dict[Width, int]) -> Tensor:
    """One block of rows of a parameter; of a narrow matrix, which has rank 1 in programs, a row."""
    size = columns[Width(record[1])]
    return (tensor.view(-1) if record[0] == 1 else tensor)[index * size : (index + 1) * size]
