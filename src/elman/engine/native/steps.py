"""Prepared steps: packed weights, buffers and jobs made once, so that taking a step is one call of the runtime.

It knows single time steps without gradients; nothing of sequences.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from weakref import ref

import torch
from torch import Tensor

from elman.cells import Cell, Weights
from elman.engine.native.library import library, numbers
from elman.engine.native.packed import Entry, Storage, once, packed
from elman.engine.native.programs import Programs, handle, programs, shapes_of
from elman.engine.program.contract import Kind
from elman.types import State

_STORAGE = {torch.bfloat16: Storage.BFLOAT16, torch.int8: Storage.INT8}


class Prepared(NamedTuple):
    """What a layer's step is made of: its programs, its packed weights, and how they are cut."""

    made: Programs
    entry: Entry
    plan: Any
    inputs: int


def prepared(cell: Cell, weights: Weights, rows: Any, threads: int, storage: torch.dtype | None = None) -> Prepared:
    """A layer, ready to take steps of these rows; its matrices kept as `storage`, of which their numbers must be."""
    made = programs(handle(cell), shapes_of(cell, weights))
    own = numbers(weights.ih.dtype)
    given = [weights[k].contiguous() for k in made.present]  # type: ignore[union-attr]
    inputs = weights.ih.shape[1]
    plan = own.plan(made.inference, rows, inputs, threads, storage is not None)
    program = made.packed_for(made.inference)
    arguments = (own, program, given, inputs, plan, threads)
    entry = packed(*arguments) if storage is None else once(*arguments, _STORAGE[storage])
    return Prepared(made, entry, plan, inputs)


class Steps:
    """One step of a stack of layers over B rows, as often as wanted.

    Attributes:
        output: (B, P) of the last layer, written by every run.

    """

    def __init__(self, layers: Sequence[Prepared], rows: Any, batch: int, dtype: torch.dtype, threads: int) -> None:
        own = numbers(dtype)
        self._input = torch.empty(batch, layers[0].inputs, dtype=dtype, device="cpu")
        self._outputs = [torch.empty(batch, layer.made.output, dtype=dtype, device="cpu") for layer in layers]
        self.output = self._outputs[-1]
        jobs = []
        for layer, before, after in zip(layers, [self._input, *self._outputs], self._outputs, strict=False):
            job = own.Job(layer.made.inference, layer.entry.packed, rows, None, layer.plan)
            job.bind(Kind.INPUT, 0, before.data_ptr(), before.shape[1])
            job.bind(Kind.NEXT, 0, after.data_ptr(), after.shape[1])
            jobs.append(job)
        made = own.Stepper(jobs, self._input.data_ptr(), self._input.numel(), threads)
        self._bind, self._run = made.bind, made.run

    def bind(self, layer: int, before: Sequence[Tensor], after: Sequence[Tensor]) -> None:
        """Where a layer's state is read and written from now on, (B, ·) each, contiguous; both may be the same."""
        self._bind(layer, [tensor.data_ptr() for tensor in before], [tensor.data_ptr() for tensor in after])

    def run(self, input: Tensor) -> None:
        """Take the step: input (B, I), contiguous."""
        self._run(input.data_ptr())


def ready(
    cell: Cell, weights: Sequence[Weights], batch: int, storage: torch.dtype | None
) -> Callable[[Sequence[State]], Steps]:
    """A stack of layers, ready to take steps of B rows in states by layer, tensors (B, ·), contiguous, written over.

    Matrices of float32 are kept as `storage`, of which their numbers must be.
    """
    threads, dtype = torch.get_num_threads(), weights[0].ih.dtype
    rows = library().Batch(1, batch)
    layers = [prepared(cell, each, rows, threads, storage) for each in weights]

    def over(state: Sequence[State]) -> Steps:
        steps = Steps(layers, rows, batch, dtype, threads)
        for number, own in enumerate(state):
            steps.bind(number, own, own)
        return steps

    return over


class Kept(NamedTuple):
    """What taking one step left for the next one like it.

    Attributes:
        cell: whose step it is, by its handle.
        weights: the weights that there are, alive: with the first of them gone, so is this.
        identity: of each its id, the address of its numbers, and its version.
        shapes: of the input and of the state.
        layer: the layer, prepared for so many rows and threads.
        threads: that may take part.
        free: prepared steps that no thread is using.

    """

    cell: str
    weights: list[ref[Tensor]]
    identity: list[tuple[int, int, int]]
    shapes: list[torch.Size]
    layer: Prepared
    threads: int
    free: list[Steps]


_kept: dict[int, Kept] = {}


def again(cell: Cell, weights: Weights, input: Tensor, state: State) -> State | None:
    """One step like the one before, if there was one with the same weights and shapes; else None.

    Whatever could have changed is looked at, and nothing else: a step of few units takes less time than this.
    """
    kept = _kept.get(id(weights.ih))
    if kept is None or kept.cell != handle(cell) or torch.get_num_threads() != kept.threads:
        return None
    dtype = weights.ih.dtype
    given = (input, *state)
    if [tensor.shape for tensor in given] != kept.shapes:
        return None
    for tensor in given:
        if tensor.dtype is not dtype or not tensor.is_cpu:
            return None
    entry = kept.layer.entry
    if identity(weights) != kept.identity or not entry.packed.looks_like(entry.addresses):
        return None
    return _taken(kept, input, state)


def one(cell: Cell, weights: Weights, input: Tensor, state: State) -> State:
    """One step of one layer into new tensors: input (B, I), state tensors (B, ·)."""
    batch, threads = len(input), torch.get_num_threads()
    layer = prepared(cell, weights, library().Batch(1, batch), threads)
    key = id(weights.ih)

    def forget(_: ref[Tensor]) -> None:
        _kept.pop(key, None)

    own = [ref(tensor, forget) for tensor in weights if tensor is not None]
    shapes = [tensor.shape for tensor in (input, *state)]
    known = recognisable(weights)
    kept = Kept(handle(cell), own, identity(weights) if known else [], shapes, layer, threads, [])
    if known:
        _kept[key] = kept
    return _taken(kept, input, state)


def clear() -> None:
    """Forget what steps have left."""
    _kept.clear()


def identity(weights: Weights) -> list[tuple[int, int, int]]:
    """What tells one set of weights from another, if they are `recognisable`."""
    return [(id(tensor), tensor.data_ptr(), tensor._version) for tensor in weights if tensor is not None]


def recognisable(weights: Weights) -> bool:
    """Whether a later look at weights can tell that they have changed.

    An inference tensor counts no versions, and of one that is not contiguous a copy is packed, which is gone then.
    """
    return all([tensor.is_contiguous() and not tensor.is_inference() for tensor in weights if tensor is not None])


def _taken(kept: Kept, input: Tensor, state: State) -> State:
    try:
        steps = kept.free.pop()
    except IndexError:  # the first step, or another thread is taking one
        batch = len(input)
        steps = Steps([kept.layer], library().Batch(1, batch), batch, input.dtype, kept.threads)
    before = [tensor.contiguous() for tensor in state]
    after = tuple([torch.empty_like(tensor) for tensor in before])
    steps.bind(0, before, after)
    steps.run(input.contiguous())
    kept.free.append(steps)
    return after
