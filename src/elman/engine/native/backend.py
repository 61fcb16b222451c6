"""The native engine as one of the engine's backends.

It knows which calls the engine can run; how is in `operator` and below.
"""

from itertools import pairwise

import torch
from torch import Tensor

from elman.cells import Cell, Weights
from elman.engine.base import Backend
from elman.engine.call import Call
from elman.engine.native.library import library
from elman.engine.native.operator import layer
from elman.engine.native.programs import Shapes, cell_of, handle, programs, shapes_of
from elman.engine.packing import dropout
from elman.engine.program import UntraceableError
from elman.engine.reference import Reference
from elman.types import State


class Native(Backend):
    name = "native"
    means = "Elman's own engine"

    def knows(self, cell: Cell) -> bool:  # noqa: ARG002
        return library() is not None

    def refuses(self, call: Call) -> str | None:
        if not _built():
            return "the native engine was not built when Elman was installed"
        tensors = (call.input, *call.state, *call.flat_weights)
        if any([tensor.device.type != "cpu" for tensor in tensors]):
            return "the native engine runs on the CPU only"
        if torch.is_autocast_enabled("cpu"):
            return "the native engine does not compute in autocast's types"
        dtype = call.input.dtype
        if dtype not in _NUMBERS or any([tensor.dtype is not dtype for tensor in tensors]):
            return "the native engine computes in float32 or float64, one of them for all tensors"
        return _untraceable(handle(call.cell), shapes_of(call.weights[0][0]))

    def run(self, call: Call) -> tuple[Tensor, State]:
        if call.input.numel() == 0:
            return Reference().run(call)  # nothing to compute, but output and state stay part of the graph
        name, value, finals = handle(call.cell), call.input, []
        packing = call.packing() if call.active_dropout and not call.packed else None
        for depth, (begin, end) in enumerate(pairwise(range(0, call.directions * call.layers + 1, call.directions))):
            if depth and call.active_dropout:
                value = dropout(value, call.active_dropout, packing)
            flat = [tensor for weights in call.weights[depth] for tensor in weights]
            initial = [tensor[begin:end] for tensor in call.state]
            value, final = layer(name, value, initial, flat, call.lengths, call.batch_sizes, call.reset)
            finals.append(final)
        if len(finals) == 1:
            return value, tuple(finals[0])
        return value, tuple(torch.cat(tensors) for tensors in zip(*finals, strict=True))

    def step(self, cell: Cell, weights: Weights, input: Tensor, state: State) -> State:
        initial = [tensor.unsqueeze(0) for tensor in state]
        _, final = layer(handle(cell), input.unsqueeze(0), initial, list(weights), None, None, None)
        return tuple(tensor.squeeze(0) for tensor in final)


_NUMBERS = {torch.float32, torch.float64}


def _built() -> bool:
    return library() is not None


def _untraceable(name: str, shapes: Shapes) -> str | None:
    try:
        programs(name, shapes)
    except UntraceableError as error:
        return f"the step of the cell '{cell_of(name).name}' cannot be compiled: {error}"
    return None


# What a compiler need not trace: it takes the result as it is.
for function in (_built, _untraceable, handle):
    function._dynamo_marked_constant = True  # type: ignore[attr-defined]  # noqa: SLF001
