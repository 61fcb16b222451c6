"""The vendor's kernels behind torch.nn (oneDNN and ATen on the CPU, cuDNN on a GPU), for the cells that they know.

It does not know resets, nor any cell that torch has no kernel for.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import _VF, Tensor

from elman.cells import CELLS, Cell, Weights
from elman.engine.base import Backend
from elman.engine.call import Call
from elman.engine.packing import Packing
from elman.engine.reference import Reference
from elman.engine.watching import compiled, exported, forward_mode
from elman.types import State


class Kernels(NamedTuple):
    """torch's kernels of a cell: over time, for one step, and its number among cuDNN's (cudnnRNNMode_t)."""

    over_time: Callable[..., Any]
    one_step: Callable[..., Any]
    mode: int


KERNELS: dict[Cell, Kernels] = {
    CELLS["rnn"]: Kernels(_VF.rnn_tanh, _VF.rnn_tanh_cell, 1),
    CELLS["rnn-relu"]: Kernels(_VF.rnn_relu, _VF.rnn_relu_cell, 0),
    CELLS["gru"]: Kernels(_VF.gru, _VF.gru_cell, 3),
    CELLS["lstm"]: Kernels(_VF.lstm, _VF.lstm_cell, 2),
}


class Vendor(Backend):
    name = "torch"
    means = "the kernels behind torch.nn"

    def refuses_step(self, cell: Cell, weights: Weights, tensors: Sequence[Tensor]) -> str | None:  # noqa: ARG002
        if weights.hr is not None:
            return "torch has no kernel for a single step with a projection"
        return _refuses(cell)

    def refuses(self, call: Call) -> str | None:
        if call.reset is not None:
            return "torch's kernels cannot reset a state within a sequence"
        if call.record is not None:
            return "torch's kernels do not show the states of every step"
        if call.weights[0].given:
            return "torch's kernels project the input themselves"
        return _refuses(call.cell)

    def run(self, call: Call) -> tuple[Tensor, State]:
        packing = None if call.packed else call.packing()
        if packing is None:
            return _kernel(call, call.input, call.batch_sizes, call.state)
        return _run_padded(call, packing)

    def step(self, cell: Cell, weights: Weights, input: Tensor, state: State) -> State:
        result = KERNELS[cell].one_step(input, _hidden(state), weights.ih, weights.hh, weights.bias_ih, weights.bias_hh)
        return result if isinstance(result, tuple) else (result,)


def torch_knows(cell: Cell) -> bool:
    """Whether torch has kernels for a cell, on a GPU as on the CPU."""
    return any(cell == known for known in KERNELS)  # by comparison, as a user's cell need not be hashable


@torch.no_grad()
def side_by_side(cell: Cell, layers: Sequence[Sequence[Weights]]) -> None:
    """Move each layer's weights, by direction, together in a GPU's memory; cuDNN would else copy them at every call.

    They remain the same tensors with the same values. On other devices, and where torch has no kernel, nothing is done.
    """
    if not layers[0][0].ih.is_cuda or not torch_knows(cell):
        return
    for directions in layers:
        tensors = [tensor for weights in directions for tensor in weights.flat()]
        alike = len({(tensor.device, tensor.dtype) for tensor in tensors}) == 1
        apart = len({tensor.data_ptr() for tensor in tensors}) == len(tensors)
        if alike and apart and torch.backends.cudnn.is_acceptable(tensors[0]):
            _move_together(KERNELS[cell].mode, len(cell.gates), directions, tensors)


def _move_together(mode: int, gates: int, directions: Sequence[Weights], tensors: list[Tensor]) -> None:
    first = directions[0]
    sizes = (first.ih.shape[1], mode, first.ih.shape[0] // gates)
    projection = 0 if first.hr is None else first.hr.shape[0]
    each = len(tensors) // len(directions)
    torch._cudnn_rnn_flatten_weight(tensors, each, *sizes, projection, 1, False, len(directions) == 2)  # noqa: SLF001


def _refuses(cell: Cell) -> str | None:
    if forward_mode():
        return "torch's kernels do not all have derivatives in forward mode"  # that of the LSTM in float32 has none
    if compiled():
        return "torch's kernels do not all go with torch.vmap"
    if not torch_knows(cell):
        return f"torch has no kernel for the cell '{cell.name}'"
    return None


def _run_padded(call: Call, packing: Packing) -> tuple[Tensor, State]:
    """Rows of unequal length: only their real steps go through the kernel, and rows without any not at all."""
    if len(packing.rows) == 0:
        return Reference().run(call)  # nothing to compute, but output and state stay part of the graph
    initial = tuple(tensor.index_select(1, packing.rows) for tensor in call.state)
    data, final = _kernel(call, packing.pack(call.input), packing.batch_sizes, initial)
    state = (old.to(new.dtype).index_copy(1, packing.rows, new) for old, new in zip(call.state, final, strict=True))
    return packing.unpack(data), tuple(state)


def _kernel(call: Call, input: Tensor, batch_sizes: Tensor | None, state: State) -> tuple[Tensor, State]:
    over_time = KERNELS[call.cell].over_time
    biased = call.weights[0].bias_ih is not None
    # cuDNN keeps what the backward pass needs only in training mode; without dropout, both modes compute the same.
    training = call.needs_gradient() or exported()  # nobody knows yet what that is run for
    settings = (call.flat_weights, biased, 1, 0.0, training, call.directions == 2)
    if batch_sizes is None:
        output, *final = over_time(input, _hidden(state), *settings, False)
    else:
        output, *final = over_time(input, batch_sizes, _hidden(state), *settings)
    return output, tuple(final)


def _hidden(state: State) -> Tensor | State:
    """A state as torch's kernels take it: the tensor itself where there is one only."""
    return state if len(state) > 1 else state[0]
