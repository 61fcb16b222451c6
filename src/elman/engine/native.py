"""The native engine: a cell's programs (`program`) run by the C++ runtime (`cpp`), forward and backward.

It knows where tensors lie and what the runtime must be told; nothing of how a program is made or how it is run.
"""

import ctypes
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from elman.cells import Cell, Weights
from elman.engine.base import Backend
from elman.engine.call import Call
from elman.engine.extension import missing
from elman.engine.extension import native as _native
from elman.engine.program import Compiled, UntraceableError, compile_cell
from elman.engine.program.contract import Kind
from elman.engine.reference import Reference
from elman.errors import UsageError
from elman.types import State

_PACKED = -1
"""A time stride that says: rows follow one another as `Batch` counts them."""


def library() -> Any:
    """The runtime, made ready; None if it is not there (`extension.missing` says why)."""
    if _native is not None:
        _prepare()
    return _native


@cache
def _prepare() -> None:
    forced = os.environ.get("ELMAN_ISA")
    if forced:
        try:
            _native.select_instruction_set(forced)
        except ValueError as error:
            raise UsageError(f"ELMAN_ISA: {error}") from error
    folder = Path(torch.__file__).parent
    for found in [*folder.glob("lib/libgomp*"), *folder.parent.glob("torch.libs/libgomp*")]:
        team = ctypes.CDLL(str(found))  # already loaded by torch: this only finds it
        names = ("GOMP_parallel", "omp_get_thread_num", "omp_get_num_threads")
        _native.use_team(*(ctypes.cast(getattr(team, name), ctypes.c_void_p).value or 0 for name in names))
        return


@dataclass(frozen=True)
class Programs:
    """A cell compiled for weights of given shapes, and its programs as the runtime keeps them."""

    compiled: Compiled
    training: Any
    inference: Any
    backward: Any


_programs: dict[Any, Programs] = {}


def programs(cell: Cell, weights: Weights) -> Programs:
    """The programs of a cell, made at the first call for weights of these shapes."""
    key = (cell, tuple(None if tensor is None else tensor.shape for tensor in weights))
    if key not in _programs:
        library()
        compiled = compile_cell(cell, weights)
        loaded = (_load(each) for each in (compiled.training, compiled.inference, compiled.backward))
        _programs[key] = Programs(compiled, *loaded)
    return _programs[key]


def _load(program: Any) -> Any:
    ints, reals = program.ints, program.reals
    return _native.Program(ints.ctypes.data, len(ints), reals.ctypes.data, len(reals))


@dataclass(frozen=True)
class Rows:
    """Which steps there are.

    Attributes:
        steps: T.
        count: B.
        batch_sizes: (T,) int64 on the CPU of packed rows; None if all rows have all steps.
        fresh: for each direction (T, B) bool: before which steps the state is zeroed; or None.

    """

    steps: int
    count: int
    batch_sizes: Tensor | None
    fresh: tuple[Tensor, ...] | None

    def batch(self, direction: int) -> Any:
        """The same, for the runtime."""
        lengths = None
        if self.batch_sizes is not None:
            lengths = (self.batch_sizes > torch.arange(self.count)[:, None]).sum(1)
        fresh = self.fresh[direction] if self.fresh else None
        return _native.Batch(self.steps, self.count, _address(lengths), _address(fresh), direction == 1)


def _address(tensor: Tensor | None) -> int:
    return 0 if tensor is None else tensor.data_ptr()


def _numbers(dtype: torch.dtype) -> Any:
    return _native.float32 if dtype == torch.float32 else _native.float64


def _memory(numbers: int, like: Tensor) -> Tensor:
    """Uninitialised memory from the runtime's cache; it goes back there when the last tensor on it ends."""
    return torch.frombuffer(_native.Workspace(max(1, numbers) * like.element_size()), dtype=like.dtype)


def _placed(memory: Tensor, offset: int, shape: tuple[int, ...]) -> Tensor:
    """A contiguous tensor on a part of memory, and not a view of it for autograd."""
    strides = torch.empty(shape, device="meta").stride()
    return memory.new_empty(0).set_(memory.untyped_storage(), offset, shape, strides)


class Direction:
    """One direction of a layer over one batch: its jobs, and the memory that they share."""

    def __init__(self, programs: Programs, weights: Weights, rows: Rows, direction: int, like: Tensor) -> None:
        self.programs = programs
        self.weights = [tensor.detach().contiguous() for tensor in weights if tensor is not None]
        self.batch = rows.batch(direction)
        self.numbers = _numbers(like.dtype)
        self.inputs = weights.ih.shape[1]
        self.history = (0, 0)
        self.tape: Any = None

    def _job(self, program: Any) -> Any:
        threads = torch.get_num_threads()
        plan = self.numbers.plan(program, self.batch, self.inputs, threads)
        pointers = [tensor.data_ptr() for tensor in self.weights]
        packed = self.numbers.Weights(program, self.inputs, pointers, plan.vectors, threads)
        job = self.numbers.Job(program, packed, self.batch, self.tape, plan)
        job.bind(Kind.NEXT, 0, *self.history)
        return job

    def forward_job(self, input: Tensor, *, training: bool) -> Any:
        if training:
            self.tape = self.numbers.Tape(self.programs.training, self.batch)
        job = self._job(self.programs.training if training else self.programs.inference)
        job.bind(Kind.INPUT, 0, input.data_ptr(), input.shape[-1], _PACKED)
        return job

    def backward_job(self, input: Tensor) -> Any:
        self.tape.prepare_backward(False)
        job = self._job(self.programs.backward)
        job.bind(Kind.INPUT, 0, input.data_ptr(), input.shape[-1], _PACKED)
        return job


class Layer(torch.autograd.Function):
    """One layer in one or two directions over time.

    Input (T, B, I) or packed (N, I); state tensors (D, B, H); gives the output, (T, B, D*P) or (N, D*P), and the state.
    """

    @staticmethod
    def forward(ctx: Any, cell: Cell, rows: Rows, input: Tensor, states: int, *tensors: Any) -> Any:
        state, weights = tensors[:states], _by_direction(tensors[states:])
        input = input.contiguous()
        made = [Direction(programs(cell, each), each, rows, direction, input) for direction, each in enumerate(weights)]
        output, histories = _histories(rows, made, state[0], input)
        training = any(ctx.needs_input_grad)
        final = [torch.empty_like(tensor, memory_format=torch.contiguous_format) for tensor in state]
        _run_forward(made, input, state, final, training=training)
        if output is None:
            output = _gathered(rows, made, histories)
        if training:
            ctx.made, ctx.rows, ctx.weights, ctx.states, ctx.state = made, rows, len(weights), states, state
            ctx.save_for_backward(input, output, *histories, *(t for each in weights for t in each if t is not None))
            ctx.set_materialize_grads(True)
        return output, *final

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_output: Tensor, *d_final: Tensor) -> Any:
        input, *_ = ctx.saved_tensors
        made: list[Direction] = ctx.made
        if made[0].tape is None:  # a second time: the first one wrote over what was saved
            _run_forward(made, input, ctx.state, None, training=True)
        d_output = d_output.contiguous()
        d_state = [tensor.clone(memory_format=torch.contiguous_format) for tensor in d_final]
        d_inputs = [torch.empty_like(input) if ctx.needs_input_grad[2] else None for _ in made]
        jobs = [each.backward_job(input) for each in made]
        for direction, (job, d_input) in enumerate(zip(jobs, d_inputs, strict=True)):
            width = d_output.shape[-1] // len(made)
            job.bind(Kind.DSTATE, 0, d_output[..., direction * width :].data_ptr(), d_output.shape[-1], _PACKED)
            for k, tensor in enumerate(d_state):
                job.bind(Kind.CARRY, k, tensor[direction].data_ptr(), tensor.shape[-1], _PACKED)
            if d_input is not None:
                job.bind(Kind.DINPUT, 0, d_input.data_ptr(), d_input.shape[-1], _PACKED)
        threads = torch.get_num_threads()
        made[0].numbers.run(jobs, threads)
        d_weights = []
        for each, job in zip(made, jobs, strict=True):
            gradients = [torch.empty_like(tensor) for tensor in each.weights]
            each.numbers.parameter_gradients(job, [tensor.data_ptr() for tensor in gradients], threads)
            each.tape = None
            d_weights.append(gradients)
        found = [tensor for tensor in d_inputs if tensor is not None]
        d_input = sum(found[1:], found[0]) if found else None
        flat = [g for each, grads in zip(made, d_weights, strict=True) for g in _spread(each.programs.compiled, grads)]
        return None, None, d_input, None, *d_state, *flat


def _by_direction(tensors: Sequence[Tensor | None]) -> list[Weights]:
    size = len(Weights._fields)
    return [Weights(*tensors[at : at + size]) for at in range(0, len(tensors), size)]  # type: ignore[arg-type]


def _spread(compiled: Compiled, gradients: list[Tensor]) -> list[Tensor | None]:
    """Gradients in the order of all fields of `Weights`, None for the fields that are not there."""
    by_name = dict(zip(compiled.parameters, gradients, strict=True))
    return [by_name.get(name) for name in Weights._fields]


def _histories(rows: Rows, made: list[Direction], h: Tensor, like: Tensor) -> tuple[Tensor | None, list[Tensor]]:
    """Memory for all states 0, so that the output is a part of it; None for the output if it must be put together."""
    width, count = h.shape[-1], len(made)
    if rows.batch_sizes is None:
        # One slab of B rows for each place. The output is slabs 1 to T; the initial state of a forward direction lies
        # in the slab before it, that of a reverse direction in the slab after it.
        slab = rows.count * count * width
        memory = _memory((rows.steps + 2) * slab, like)
        for direction, each in enumerate(made):
            each.history = (
                memory.data_ptr() + (direction * (slab + width)) * memory.element_size(),
                count * width,
            )
        return _placed(memory, slab, (rows.steps, rows.count, count * width)), [memory]
    memories = [_memory(each.batch.places * width, like) for each in made]
    for each, memory in zip(made, memories, strict=True):
        each.history = (memory.data_ptr(), width)
    if count == 1:
        return _placed(memories[0], rows.count * width, (made[0].batch.real_steps, width)), memories
    return None, memories


def _gathered(rows: Rows, made: list[Direction], histories: list[Tensor]) -> Tensor:
    """The packed output of two directions, from their histories."""
    forward, backward = (
        memory.view(-1)[: each.batch.places * each.history[1]] for each, memory in zip(made, histories, strict=True)
    )
    width, real = made[0].history[1], made[0].batch.real_steps
    assert rows.batch_sizes is not None
    sizes = rows.batch_sizes.tolist()
    index = torch.cat([torch.arange(size) + made[1].batch.place(t) for t, size in enumerate(sizes)])
    return torch.cat([forward.view(-1, width)[-real:], backward.view(-1, width).index_select(0, index)], -1)


def _run_forward(
    made: list[Direction], input: Tensor, state: Sequence[Tensor], final: list[Tensor] | None, *, training: bool
) -> None:
    jobs = []
    kept = [tensor.contiguous() for tensor in state]
    for direction, each in enumerate(made):
        job = each.forward_job(input, training=training)
        for k, tensor in enumerate(kept):
            job.bind_initial(k, tensor[direction].data_ptr(), tensor.shape[-1])
            if final is not None:
                job.bind_final(k, final[k][direction].data_ptr(), tensor.shape[-1])
        jobs.append(job)
    made[0].numbers.run(jobs, torch.get_num_threads())


def layer(cell: Cell, rows: Rows, input: Tensor, state: State, weights: Sequence[Weights]) -> tuple[Tensor, State]:
    """One layer: input (T, B, I) or packed (N, I), state tensors (D, B, H), weights by direction."""
    flat = [tensor for each in weights for tensor in each]
    output, *final = Layer.apply(  # type: ignore[no-untyped-call]
        cell, rows, input, len(state), *state, *flat
    )
    return output, tuple(final)


class Native(Backend):
    name = "native"
    means = "Elman's own engine"

    def knows(self, cell: Cell) -> bool:  # noqa: ARG002
        return library() is not None

    def refuses(self, call: Call) -> str | None:
        if library() is None:
            return f"the native engine {missing}"
        tensors = (call.input, *call.state, *call.flat_weights)
        if any(tensor.device.type != "cpu" for tensor in tensors):
            return "the native engine runs on the CPU only"
        if call.input.dtype not in {torch.float32, torch.float64} or len({tensor.dtype for tensor in tensors}) > 1:
            return "the native engine computes in float32 or float64, one of them for all tensors"
        try:
            programs(call.cell, call.weights[0][0])
        except UntraceableError as error:
            return f"the step of the cell '{call.cell.name}' cannot be compiled: {error}"
        return None

    def run(self, call: Call) -> tuple[Tensor, State]:
        packing = call.packing()
        if call.input.numel() == 0 or (packing is not None and len(packing.rows) == 0):
            return Reference().run(call)  # nothing to compute, but output and state stay part of the graph
        if packing is None:
            return _stack(call, call.input, call.state, Rows(call.steps, call.batch, None, _fresh(call)))
        state = tuple(tensor.index_select(1, packing.rows) for tensor in call.state)
        rows = Rows(len(packing.batch_sizes), len(packing.rows), packing.batch_sizes, _fresh(call))
        value, final = _stack(call, call.input if call.packed else packing.pack(call.input), state, rows)
        whole = (old.index_copy(1, packing.rows, new) for old, new in zip(call.state, final, strict=True))
        return (value if call.packed else packing.unpack(value)), tuple(whole)

    def step(self, cell: Cell, weights: Weights, input: Tensor, state: State) -> State:
        state = tuple(tensor.unsqueeze(0) for tensor in state)
        _, final = layer(cell, Rows(1, len(input), None, None), input.unsqueeze(0), state, [weights])
        return tuple(tensor.squeeze(0) for tensor in final)


def _stack(call: Call, value: Tensor, state: State, rows: Rows) -> tuple[Tensor, State]:
    ends = [depth * call.directions for depth in range(call.layers + 1)]
    finals = []
    for depth, (begin, end) in enumerate(pairwise(ends)):
        if depth and call.active_dropout:
            value = F.dropout(value, call.active_dropout)
        initial = tuple(tensor[begin:end] for tensor in state)
        value, final = layer(call.cell, rows, value, initial, call.weights[depth])
        finals.append(final)
    return value, tuple(torch.cat(tensors) for tensors in zip(*finals, strict=True))


def _fresh(call: Call) -> tuple[Tensor, ...] | None:
    """For each direction, before which steps the state is zeroed; rows as the runtime has them, sorted and real."""
    if call.reset is None:
        return None
    starts = call.reset
    packing = call.packing()
    if packing is not None:
        real = torch.arange(call.steps)[:, None] < packing.lengths
        starts = (starts & real)[: len(packing.batch_sizes), packing.rows]
    later = torch.cat([starts[1:], torch.zeros_like(starts[:1])])
    return starts.contiguous(), later.contiguous()
