"""Keras's recurrent layers as Elman's, and the weights back: other shapes, another order of gates, other biases.

It asks a layer for what it says of itself and for its arrays, and does not need Keras. That of version 3 is meant: its
matrices are (I, G*H) and (H, G*H), its gates torch.nn's but for a GRU's (z, r, h in place of r, z, n), and it has one
bias where torch.nn adds two, except in a GRU with reset_after=True, which has them as (2, 3H).
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from elman.cells import CELLS
from elman.errors import UsageError
from elman.layers.gru import GRU
from elman.layers.lstm import LSTM
from elman.layers.recurrent import Recurrent
from elman.layers.rnn import RNN
from elman.layers.stack import Stack

_TAKEN = "SimpleRNN, GRU and LSTM of Keras, and Bidirectional of one of them"

_GATES = {"rnn": (0,), "rnn-relu": (0,), "gru": (1, 0, 2), "gru-reset-before": (1, 0, 2), "lstm": (0, 1, 2, 3)}
"""By cell, where the gates of the one library are among the other's; it is the same both ways."""


class _Kind(NamedTuple):
    """What a layer of Keras computes, by Elman's names."""

    cell: str
    hidden: int
    bias: bool
    recurrent_dropout: float


def from_keras(layer: Any) -> Stack:
    """Make Elman's layer of one of Keras's, with its weights, batch first.

    It returns the outputs of all steps and the final state, whatever the layer was told to return: h of that state is
    the last output. What masks say, `lengths` says. Dropout between steps becomes the option recurrent_dropout; that
    of what is read is not the layer's own here.

    Args:
        layer: SimpleRNN (tanh or relu), GRU (either way to reset), LSTM, or Bidirectional of one of them that
            concatenates; its weights are there.

    Raises:
        UsageError: if it computes what no layer of Elman's does, such as another activation.

    """
    both = type(layer).__name__ == "Bidirectional"
    if both and layer.merge_mode != "concat":
        raise UsageError(
            f"the layer has merge_mode={layer.merge_mode!r}; give one with 'concat', and merge what it says"
        )
    kinds = [_kind(each) for each in ([layer.forward_layer, layer.backward_layer] if both else [layer])]
    if not both and layer.get_config()["go_backwards"]:
        raise UsageError("the layer has go_backwards=True; give one without, and turn the time steps of its input")
    if kinds[0] != kinds[-1]:
        raise UsageError("the two directions of the Bidirectional differ; give one in which they are alike")
    arrays = [
        torch.tensor(np.asarray(array, np.promote_types(array.dtype, np.float32))) for array in layer.get_weights()
    ]
    if not arrays:
        raise UsageError("the layer has no weights yet; build it, or call it once, before it is taken over")
    made = _made(kinds[0], len(arrays[0]), both, arrays[0].dtype)
    size = len(arrays) // len(kinds)
    for place, suffix in enumerate(_suffixes(made)):
        _fill(made, suffix, *arrays[place * size : (place + 1) * size])
    return made


def to_keras(layer: Stack) -> list[NDArray[Any]]:
    """Return the weights of a layer as `set_weights` of the same layer of Keras takes them.

    Args:
        layer: one layer of RNN, GRU or LSTM, or of a Recurrent with one of their cells or gru-reset-before; of two
            directions the layer of Keras is a Bidirectional.

    Raises:
        UsageError: if Keras has no such layer.

    """
    known = isinstance(layer, Stack) and layer.num_layers == 1 and not layer.proj_size
    known = known and any(layer.plain_cell == CELLS[name] for name in _GATES)  # an own one may have the same name
    if not known or any(not each.startswith(("init=", "recurrent_dropout=")) for each in layer.options.said()):
        raise UsageError(
            f"Keras has a layer for a single one with one of Elman's cells {', '.join(_GATES)}, not for {layer}"
        )
    return [array for suffix in _suffixes(layer) for array in _told(layer, suffix)]


def _kind(layer: Any) -> _Kind:
    name = type(layer).__name__
    if name not in ("SimpleRNN", "GRU", "LSTM") or not hasattr(layer, "get_config"):
        raise UsageError(f"from_keras takes {_TAKEN}, got {name}")
    said = layer.get_config()
    activation, gates = said["activation"], said.get("recurrent_activation", "sigmoid")
    if activation not in (("tanh", "relu") if name == "SimpleRNN" else ("tanh",)) or gates != "sigmoid":
        raise UsageError(f"the {name} has activations of its own, {activation} and {gates}; write an elman.Cell for it")
    cells = {
        "SimpleRNN": "rnn" if activation == "tanh" else "rnn-relu",
        "GRU": "gru" if said.get("reset_after") else "gru-reset-before",
        "LSTM": "lstm",
    }
    return _Kind(cells[name], said["units"], said["use_bias"], said["recurrent_dropout"])


def _made(kind: _Kind, inputs: int, bidirectional: bool, dtype: torch.dtype) -> Stack:
    """The layer, with weights to be filled."""
    options: dict[str, Any] = {"recurrent_dropout": kind.recurrent_dropout} if kind.recurrent_dropout else {}
    options |= {"bias": kind.bias, "bidirectional": bidirectional, "batch_first": True, "dtype": dtype}
    match kind.cell:
        case "rnn" | "rnn-relu":
            return RNN(inputs, kind.hidden, nonlinearity="relu" if kind.cell == "rnn-relu" else "tanh", **options)
        case "gru":
            return GRU(inputs, kind.hidden, **options)
        case "lstm":
            return LSTM(inputs, kind.hidden, **options)
    return Recurrent(kind.cell, inputs, kind.hidden, **options)


def _suffixes(layer: Stack) -> tuple[str, ...]:
    """Of the names of the weights, by direction."""
    return ("_l0", "_l0_reverse")[: 1 + layer.bidirectional]


def _turned(layer: Stack, values: Tensor) -> Tensor:
    """(..., G*H) with the gates in the order of the other library."""
    order = _GATES[layer.plain_cell.name]
    return torch.cat([values.chunk(len(order), -1)[place] for place in order], -1)


def _fill(layer: Stack, suffix: str, kernel: Tensor, recurrent: Tensor, bias: Tensor | None = None) -> None:
    """Write Keras's arrays into the weights of a direction."""
    values = {"weight_ih": _turned(layer, kernel).T, "weight_hh": _turned(layer, recurrent).T}
    if bias is not None:
        first, second = bias if bias.dim() == 2 else (bias, torch.zeros_like(bias))
        values |= {"bias_ih": _turned(layer, first), "bias_hh": _turned(layer, second)}
    with torch.no_grad():
        for name, value in values.items():
            getattr(layer, name + suffix).copy_(value)


def _told(layer: Stack, suffix: str) -> list[NDArray[Any]]:
    """Keras's arrays of a direction."""
    matrices = [getattr(layer, name + suffix).T for name in ("weight_ih", "weight_hh")]
    biases = [getattr(layer, name + suffix) for name in ("bias_ih", "bias_hh")] if layer.bias else []
    if biases:
        biases = [torch.stack(biases) if layer.plain_cell.name == "gru" else sum(biases)]
    return [_turned(layer, values.detach()).numpy(force=True).copy() for values in (*matrices, *biases)]
