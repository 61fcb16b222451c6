"""Recurrent layers: torch.nn's, with the same constructors and weights, and those of any other cell.

This room does not know tasks, topologies or training.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from elman.cells import CELLS, find
from elman.layers.conversion import convert
from elman.layers.dropout import Dropout, LockedDropout
from elman.layers.explanation import explain
from elman.layers.gru import GRU, GRUCell
from elman.layers.keras import from_keras, to_keras
from elman.layers.lstm import LSTM, LSTMCell
from elman.layers.recurrent import Recurrent
from elman.layers.rnn import RNN, RNNCell
from elman.layers.scanning import scan
from elman.layers.stack import Stack
from elman.layers.step import StepLayer

__all__ = [
    "GRU",
    "LAYERS",
    "LSTM",
    "RNN",
    "Dropout",
    "GRUCell",
    "LSTMCell",
    "LockedDropout",
    "RNNCell",
    "Recurrent",
    "Stack",
    "StepLayer",
    "build",
    "convert",
    "explain",
    "from_keras",
    "scan",
    "to_keras",
]

LAYERS: dict[str, Callable[..., Stack]] = {name: partial(Recurrent, name) for name in CELLS} | {
    "rnn": RNN,
    "rnn-relu": partial(RNN, nonlinearity="relu"),
    "gru": GRU,
    "lstm": LSTM,
}
"""The layer of each cell, by the cell's name in `elman.cells.CELLS`."""


def build(
    cell_name: str,
    input_size: int,
    hidden_size: int,
    num_layers: int = 1,
    *,
    dropout: float = 0.0,
    bidirectional: bool = False,
    **options: Any,
) -> Stack:
    """A stack of layers of the named cell, for a model that does not care which one it is.

    Args:
        cell_name: as `elman.cells.find` takes it.
        input_size: I.
        hidden_size: H.
        num_layers: L.
        dropout: between layers; a single layer has none, so there it is ignored.
        bidirectional: whether there is a second direction.
        options: `elman.layers.options.Options`.

    Raises:
        UsageError: if there is no cell of that name.

    """
    layer = LAYERS.get(cell_name) or partial(Recurrent, find(cell_name))
    return layer(
        input_size,
        hidden_size,
        num_layers,
        dropout=dropout if num_layers > 1 else 0.0,
        bidirectional=bidirectional,
        **options,
    )
