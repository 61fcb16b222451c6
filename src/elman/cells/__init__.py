"""The cells that there are: one file each, and one entry here.

This room does not know how a cell is run over a sequence.
"""

from elman.cells.base import Cell, Mask
from elman.cells.coupled_lstm import CoupledLSTM
from elman.cells.declaration import checked
from elman.cells.elman import Elman
from elman.cells.gru import GRU
from elman.cells.gru_reset_before import GRUResetBefore
from elman.cells.indrnn import IndRNN
from elman.cells.lru import LRU
from elman.cells.lstm import LSTM
from elman.cells.mgu import MGU
from elman.cells.mingru import MinGRU
from elman.cells.minlstm import MinLSTM
from elman.cells.own import own
from elman.cells.peephole_lstm import PeepholeLSTM
from elman.cells.rglru import RGLRU
from elman.cells.s6 import S6
from elman.cells.slstm import SLSTM
from elman.cells.sru import SRU
from elman.cells.weights import Weights
from elman.errors import UsageError
from elman.names import nearest

__all__ = ["CELLS", "Cell", "Mask", "Weights", "checked", "find", "title"]

CELLS: dict[str, Cell] = {
    cell.name: cell
    for cell in (
        *(Elman("tanh"), Elman("relu"), IndRNN()),
        *(GRU(), GRUResetBefore(), MGU()),
        *(LSTM(), PeepholeLSTM(), CoupledLSTM(), SLSTM()),
        *(SRU(), MinGRU(), MinLSTM(), LRU(), RGLRU(), S6()),
    )
}
for cell in CELLS.values():
    cell.bundle_type()  # made now, and not while torch.compile looks on


def find(name: str) -> Cell:
    """The cell of that name, or a user's own: "module:Class", in the working directory or on Python's path.

    Raises:
        UsageError: if there is none, naming the known ones and the nearest match.
        ElmanError: if a user's own cannot be imported.

    """
    if isinstance(name, str) and name in CELLS:
        return CELLS[name]
    if isinstance(name, str) and ":" in name:
        return own(name)
    near = nearest(str(name).lower(), CELLS, ";")
    raise UsageError(f"unknown cell {name!r}{near} there are: {', '.join(CELLS)}, and module:Class for one of your own")


def title(name: str) -> str:
    """What the cell that is asked for so is called in headings: LSTM."""
    return find(name).name.upper()
