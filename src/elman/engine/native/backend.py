"""The native engine as one of the engine's backends.

It knows which calls the engine can run; how is in `operator` and below.
"""

import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from elman.cells import Cell, Weights
from elman.engine import watching
from elman.engine.base import Backend, Ready
from elman.engine.call import Call
from elman.engine.extension import missing
from elman.engine.native import loops, steps
from elman.engine.native.library import library
from elman.engine.native.operator import differentiated, layer, traced
from elman.engine.native.pieces import in_pieces, is_large
from elman.engine.native.programs import Shapes, cell_of, handle, programs, shapes_of
from elman.engine.products import in_pairs
from elman.engine.program import UntraceableError
from elman.engine.program.listing import listing
from elman.engine.record import Record
from elman.engine.reference import Reference
from elman.engine.storage import rounded
from elman.types import State


def refusal(tensors: Iterable[Tensor]) -> str | None:
    """Why the engine cannot compute with these tensors here and now, whatever their numbers, as a clause; else None."""
    if library() is None:
        return f"the native engine {missing}"
    if (found := watching.refusal()) is not None:
        return found
    return "the native engine runs on the CPU only" if any([not tensor.is_cpu for tensor in tensors]) else None


class Native(Backend):
    name = "native"
    means = "Elman's own engine"

    def refuses_step(self, cell: Cell, weights: Weights, tensors: Sequence[Tensor]) -> str | None:
        if (refused := refusal(tensors)) is not None:
            return refused
        dtypes = {tensor.dtype for tensor in (tensors if not _autocast() else weights.flat())}
        if len(dtypes) > 1 or not dtypes <= _NUMBERS:
            return "the native engine computes in float32 or float64, one of them for all tensors"
        return _untraceable(handle(cell), shapes_of(cell, weights))

    def run(self, call: Call) -> tuple[Tensor, State]:
        if call.input.numel() == 0:
            return Reference().run(call)  # nothing to compute, but output and state stay part of the graph
        if _autocast():
            call = _in_one_type(call)
        if _is_one_step(call):
            return _one_step(call)
        return in_pieces(call, self._whole) if is_large(call) else self._whole(call)

    def _whole(self, call: Call) -> tuple[Tensor, State]:
        flat = [tensor for weights in call.weights for tensor in weights]
        # The graph must not hold the record, which holds the graph: memory would wait for the garbage collector then.
        told = None if call.record is None else partial(_tell, weakref.ref(call.record), call.directions)
        known = (call.lengths, call.batch_sizes, call.reset)
        output, final, others = layer(
            handle(call.cell), call.input, call.state, flat, *known, told, pairs=self.narrow(call)
        )
        if call.record is not None:
            seen = (output.clone(), *others)  # the output itself is the caller's to write over
            call.record.values = tuple(_by_direction(tensor, call.directions) for tensor in seen)
        return output, tuple(final)

    def narrow(self, call: Call) -> bool:
        """Whether `run` rounds both sides of every product to bfloat16."""
        return call.flat_weights[0].dtype == torch.float32 and in_pairs() and not _is_one_step(call)

    def step(self, cell: Cell, weights: Weights, input: Tensor, state: State) -> State:
        if _autocast():
            input, state = input.to(weights.ih.dtype), tuple(tensor.to(weights.ih.dtype) for tensor in state)
        tensors = (input, *state, *weights.flat())
        if input.numel() > 0 and not traced(input):
            if not differentiated(tensors):
                return steps.one(cell, weights, input, state)
            if loops.possible(cell, weights):
                return loops.one(cell, weights, input, state)
        initial = [tensor.unsqueeze(0) for tensor in state]
        _, final, _ = layer(handle(cell), input.unsqueeze(0), initial, list(weights), None, None, None)
        return tuple(tensor.squeeze(0) for tensor in final)

    def step_again(self, cell: Cell, weights: Weights, input: Tensor, state: State) -> State | None:
        if traced(input) or _autocast() or watching.forward_mode() or watching.recorded():
            return None
        if differentiated((input, *state, *weights)):
            return loops.again(cell, weights, input, state)
        return steps.again(cell, weights, input, state)

    def prepare(
        self, cell: Cell, weights: Sequence[Weights], batch: int, *, storage: torch.dtype | None = None
    ) -> Ready:
        ready = steps.ready(cell, [rounded(cell, each, storage) for each in weights], batch, storage)

        def over(state: Sequence[State]) -> Callable[[Tensor], Tensor]:
            made = ready(state)
            run, output = made.run, made.output

            def take(input: Tensor) -> Tensor:
                run(input)
                return output

            return take

        return over

    def listing(self, cell: Cell, weights: Weights) -> str:
        """The programs of a cell that can be compiled, in print."""
        return listing(programs(handle(cell), shapes_of(cell, weights)).compiled)


def _is_one_step(call: Call) -> bool:
    if traced(call.input):  # before a look at sizes, which a compiler would take for fixed
        return False
    if not call.alone or call.weights[0].given:
        return False
    return not call.needs_gradient() or loops.possible(call.cell, call.weights[0])


def _one_step(call: Call) -> tuple[Tensor, State]:
    """A sequence of one time step, as a cell takes it."""
    (weights,), input, state = call.weights, call.input[0], tuple([tensor[0] for tensor in call.state])
    way: Any = loops if call.needs_gradient() else steps
    after = way.again(call.cell, weights, input, state) or way.one(call.cell, weights, input, state)
    return after[0].clone().unsqueeze(0), tuple([tensor.unsqueeze(0) for tensor in after])


_NUMBERS = {torch.float32, torch.float64}


def _tell(asked: weakref.ref[Record], directions: int, gradients: Sequence[Tensor]) -> None:
    record = asked()
    if record is not None:
        record.gradients = tuple(_by_direction(tensor, directions) for tensor in gradients)


def _by_direction(tensor: Tensor, directions: int) -> Tensor:
    """(T, B, D * features) -> (D, T, B, features)."""
    return tensor.view(*tensor.shape[:-1], directions, -1).permute(2, 0, 1, 3)


def _autocast() -> bool:
    return torch.is_autocast_enabled("cpu")


def _in_one_type(call: Call) -> Call:
    """Under autocast, input and state may come in narrower types than the weights."""
    dtype = call.flat_weights[0].dtype
    return replace(call, input=call.input.to(dtype), state=tuple(tensor.to(dtype) for tensor in call.state))


@watching.untraced
def _untraceable(name: str, shapes: Shapes) -> str | None:
    try:
        programs(name, shapes)
    except UntraceableError as error:
        return f"the step of the cell '{cell_of(name).name}' cannot be compiled: {error}"
    return None
