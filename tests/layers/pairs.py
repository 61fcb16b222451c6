"""Elman's layers beside torch's, with the same weights."""

import torch
from torch import nn

from elman.layers import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell

LAYERS = {
    "rnn": (RNN, nn.RNN, {}),
    "rnn-relu": (RNN, nn.RNN, {"nonlinearity": "relu"}),
    "gru": (GRU, nn.GRU, {}),
    "lstm": (LSTM, nn.LSTM, {}),
    "lstm-projected": (LSTM, nn.LSTM, {"proj_size": 2}),
}
CELL_LAYERS = {
    "rnn": (RNNCell, nn.RNNCell, {}),
    "rnn-relu": (RNNCell, nn.RNNCell, {"nonlinearity": "relu"}),
    "gru": (GRUCell, nn.GRUCell, {}),
    "lstm": (LSTMCell, nn.LSTMCell, {}),
}


def pair(name, *sizes, table=LAYERS, **options):
    """Ours and torch's, each made after the same seed."""
    ours, theirs, fixed = table[name]
    made = []
    for layer in (ours, theirs):
        torch.manual_seed(0)
        made.append(layer(*sizes, **fixed, **options))
    return made


def flat(nested):
    """The tensors of a nest of tuples, PackedSequences among them, in order."""
    if nested is None:
        return []
    if isinstance(nested, torch.Tensor):
        return [nested]
    return [tensor for part in nested for tensor in flat(part)]
