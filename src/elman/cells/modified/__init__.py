"""Cells around other cells: what the layers' options do to a time step. One file for each option."""

from elman.cells.modified.base import Modified
from elman.cells.modified.layer_norm import LayerNorm
from elman.cells.modified.recurrent_dropout import RecurrentDropout
from elman.cells.modified.zoneout import Zoneout

__all__ = ["LayerNorm", "Modified", "RecurrentDropout", "Zoneout"]
