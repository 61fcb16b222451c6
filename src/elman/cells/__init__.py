"""The cells that there are: one file each, and one entry here.

This room does not know how a cell is run over a sequence.
"""

from difflib import get_close_matches

from elman.cells.base import Cell, Weights
from elman.cells.elman import Elman
from elman.cells.gru import GRU
from elman.cells.lstm import LSTM
from elman.errors import UsageError

__all__ = ["CELLS", "GRU", "LSTM", "Cell", "Elman", "Weights", "find"]

CELLS: dict[str, Cell] = {cell.name: cell for cell in (Elman("tanh"), Elman("relu"), GRU(), LSTM())}


def find(name: str) -> Cell:
    """The cell of that name; raises UsageError, naming the known ones and the nearest match, if there is none."""
    if name in CELLS:
        return CELLS[name]
    near = get_close_matches(name.lower(), CELLS, n=1)
    guess = f"; did you mean {near[0]!r}?" if near else ";"
    raise UsageError(f"unknown cell {name!r}{guess} there are: {', '.join(CELLS)}")
