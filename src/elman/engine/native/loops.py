"""Single steps with their gradient, as a loop over a cell takes them.

A loop calls one cell with the same weights again and again. Its steps make no gradients of weights: they leave what
these are made of to the end of the backward pass, where one product makes them for all steps, as for a layer. The
weights are packed once for all steps that see one version of them.

It knows cells without masks, and nothing of sequences.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple
from weakref import WeakValueDictionary, ref

import torch
from torch import Tensor

from elman.cells import Cell, Weights
from elman.engine.native import execution
from elman.engine.native.gradient import Wanted, Where, gradients
from elman.engine.native.library import library, memory, numbers
from elman.engine.native.packed import Entry, packed
from elman.engine.native.programs import handle, programs, shapes_of
from elman.engine.native.steps import identity, recognisable
from elman.engine.program.contract import Kind
from elman.engine.watching import in_a_batch
from elman.types import State

MOST = 2048
"""So many rows wait for the product that makes gradients of weights; then it is made, as memory waits with them."""


class Rows(NamedTuple):
    """How steps of B rows are taken.

    Attributes:
        shapes: of input and state.
        batch: as the runtime has it.
        plan: how a step is cut.
        forward: the weights, packed for the step.
        backward: the same for its gradient.
        tape: how many numbers a step leaves for its gradient.

    """

    shapes: list[torch.Size]
    batch: Any
    plan: Any
    forward: Entry
    backward: Entry
    tape: int


class Unfinished:
    """Steps that a backward pass has been through, without their gradients of weights.

    Attributes:
        jobs: which ran them.
        kept: what the jobs read.
        rows: of all of them.
        found: the gradients of earlier ones.

    """

    def __init__(self) -> None:
        self.jobs: list[Any] = []
        self.kept: list[Tensor] = []
        self.rows = 0
        self.found: list[Tensor | None] = []


class Loop:
    """Steps of one cell with weights of one version.

    The graph of its steps holds it, not it the graph. The steps have one more input, the anchor, which is computed from
    the weights: autograd comes to it when it has been through all steps, and asks it for the gradients of the weights.
    """

    def __init__(self, name: str, cell: Cell, weights: Weights, threads: int) -> None:
        self.name, self.weights, self.threads = name, weights, threads
        self.identity, self.wanted = identity(weights), _wanted(weights)
        self.made = programs(name, shapes_of(cell, weights))
        self.numbers = numbers(weights.ih.dtype)
        self.inputs = weights.ih.shape[1]
        self.rows: dict[int, Rows] = {}
        self._own = [tensor for tensor in weights if tensor is not None]
        self._anchor: ref[Tensor] | None = None
        self._waiting: dict[int, Unfinished] = {}

    def rows_like(self, input: Tensor, state: State) -> Rows:
        """How steps of so many rows are taken, made ready for them where they are the first."""
        batch = input.shape[0]
        found = self.rows.get(batch)
        if found is None:
            found = self.rows[batch] = self._made(batch, [tensor.shape for tensor in (input, *state)])
        return found

    def _made(self, batch: int, shapes: list[torch.Size]) -> Rows:
        own = library().Batch(1, batch)
        plan = self.numbers.plan(self.made.training, own, self.inputs, self.threads)
        arguments = (self._own, self.inputs, plan, self.threads)
        forward = packed(self.numbers, self.made.packed_for(self.made.training), *arguments)
        backward = packed(self.numbers, self.made.backward, *arguments)
        return Rows(shapes, own, plan, forward, backward, self.made.tape_size(self._own[0].dtype, batch))

    def looks_like(self, weights: Weights, name: str) -> bool:
        """Whether its weights are these, and as they were, as far as a look at a few places can tell."""
        if self.name != name or self.identity != identity(weights) or self.wanted != _wanted(weights):
            return False
        if self.threads != torch.get_num_threads():
            return False
        return all([rows.forward.packed.looks_like(rows.forward.addresses) for rows in self.rows.values()])

    def step(self, rows: Rows, input: Tensor, state: State) -> State:
        """One step, as a node of autograd's graph."""
        after: State = _apply(self, rows, self._anchored(), input, *state, *self.weights)
        return after

    def _anchored(self) -> Tensor | None:
        if not any(self.wanted):
            return None
        anchor = None if self._anchor is None else self._anchor()
        if anchor is None:
            anchor = Anchor.apply(self, *self.weights)  # type: ignore[no-untyped-call]
            self._anchor = ref(anchor)
        return anchor

    def forward(self, rows: Rows, input: Tensor, state: State) -> tuple[State, Tensor]:
        """The state after a step, and its tape."""
        # The output lies there once more, as the state after the step is the caller's to write over.
        tape = memory((rows.tape + input.shape[0] * self.made.output,), input)
        return self._fill(rows, tape, input, state), tape

    def _fill(self, rows: Rows, tape: Tensor, input: Tensor, state: State) -> State:
        kept = self.numbers.Tape(self.made.training, rows.batch, tape.data_ptr())
        kept.begin()
        job = self._job(self.made.training, rows, rows.forward, kept, tape, input, state)
        after = tuple([torch.empty_like(tensor) for tensor in state])
        for k, tensor in enumerate(after):
            job.bind_final(k, tensor.data_ptr(), tensor.shape[1])
        self.numbers.run([job], self.threads)
        return after

    def backward(
        self,
        rows: Rows,
        tape: Tensor,
        input: Tensor,
        state: State,
        d_after: Sequence[Tensor | None],
        task: int | None,
        *,
        wants_input: bool,
    ) -> tuple[Tensor | None, list[Tensor]]:
        """The gradients of input and state. Those of the weights wait for the end of a task of autograd's, if any."""
        kept = self.numbers.Tape(self.made.training, rows.batch, tape.data_ptr())
        if kept.spent:
            self._fill(rows, tape, input, state)  # the values are the same bit for bit
        kept.prepare_backward(False)
        job = self._job(self.made.backward, rows, rows.backward, kept, tape, input, state)
        d_state = [
            torch.zeros_like(tensor) if d is None else d.clone(memory_format=torch.contiguous_format)
            for tensor, d in zip(state, d_after, strict=True)
        ]
        for k, tensor in enumerate(d_state):
            job.bind(Kind.CARRY, k, tensor.data_ptr(), tensor.shape[1])
        d_input = torch.empty_like(input) if wants_input or self.made.adds_up_inputs else None
        if d_input is not None:
            job.bind(Kind.DINPUT, 0, d_input.data_ptr(), self.inputs)
        self.numbers.run([job], self.threads)
        if task is not None:
            self._wait(task, job, tape, input, state)
        return d_input, d_state

    def _job(
        self, program: Any, rows: Rows, weights: Entry, kept: Any, tape: Tensor, input: Tensor, state: State
    ) -> Any:
        job = self.numbers.Job(program, weights.packed, rows.batch, kept, rows.plan)
        job.bind(Kind.INPUT, 0, input.data_ptr(), self.inputs)
        job.bind(Kind.NEXT, 0, tape.data_ptr() + rows.tape * tape.element_size(), self.made.output)
        for k, tensor in enumerate(state):
            job.bind_initial(k, tensor.data_ptr(), tensor.shape[1])
        return job

    def _wait(self, task: int, job: Any, tape: Tensor, input: Tensor, state: State) -> None:
        waiting = self._waiting.setdefault(task, Unfinished())
        waiting.jobs.append(job)
        waiting.kept += [tensor.detach() for tensor in (tape, input, *state)]  # not the graph, which holds this
        waiting.rows += input.shape[0]
        if waiting.rows >= MOST:
            self._multiply(waiting)

    def _multiply(self, waiting: Unfinished) -> None:
        found = [
            memory(tuple(tensor.shape), tensor) if wanted else None
            for tensor, wanted in zip(self._own, self.wanted, strict=True)
        ]
        addresses = [0 if tensor is None else tensor.data_ptr() for tensor in found]
        self.numbers.parameter_gradients(waiting.jobs, addresses, self.threads)
        for tensor, earlier in zip(found, waiting.found, strict=False):
            if tensor is not None and earlier is not None:
                tensor.add_(earlier)
        waiting.jobs, waiting.kept, waiting.rows, waiting.found = [], [], 0, found

    def weight_gradients(self, task: int) -> list[Tensor | None]:
        """Of all steps that wait for a task of autograd's."""
        waiting = self._waiting.pop(task, None)
        if waiting is None:
            return [None] * len(self.weights)
        if waiting.jobs:
            self._multiply(waiting)
        found = iter(waiting.found)
        return [None if tensor is None else next(found) for tensor in self.weights]


class Anchor(torch.autograd.Function):
    """Weights -> the anchor of a loop over them. It saves no tensor, as torch.utils.checkpoint counts them."""

    @staticmethod
    def forward(ctx: Any, loop: Loop, *weights: Tensor | None) -> Tensor:  # noqa: ARG004 - autograd sees them
        ctx.loop = loop
        ctx.set_materialize_grads(False)
        return loop.weights.ih.new_empty(())

    @staticmethod
    def backward(ctx: Any, _: Tensor | None) -> Any:
        return None, *ctx.loop.weight_gradients(_task())


class StepFunction(torch.autograd.Function):
    """One step. Where its gradient is differentiated again, or is that of many, it is a layer of one step."""

    @staticmethod
    def forward(ctx: Any, loop: Loop, rows: Rows, anchor: Tensor | None, input: Tensor, *tensors: Any) -> Any:
        states = len(rows.shapes) - 1
        after, tape = loop.forward(rows, input.contiguous(), tuple([t.contiguous() for t in tensors[:states]]))
        ctx.loop, ctx.rows, ctx.anchor = loop, rows, anchor
        ctx.save_for_backward(tape, input, *tensors)
        ctx.set_materialize_grads(False)
        return after

    @staticmethod
    def backward(ctx: Any, *d_after: Tensor | None) -> Any:
        tape, input, *tensors = ctx.saved_tensors
        loop, states = ctx.loop, len(d_after)
        if all([d is None for d in d_after]):
            return (None,) * (4 + len(tensors))
        if torch.is_grad_enabled() or any([d is not None and in_a_batch(d) for d in d_after]):
            return None, None, None, *_as_layer(loop, ctx.rows, tape, [input, *tensors], d_after)
        wanted = ctx.anchor is not None and torch._C._will_engine_execute_node(ctx.anchor.grad_fn)  # noqa: SLF001
        d_input, d_state = loop.backward(
            ctx.rows,
            tape,
            input.contiguous(),
            tuple([tensor.contiguous() for tensor in tensors[:states]]),
            d_after,
            _task() if wanted else None,
            wants_input=ctx.needs_input_grad[3],
        )
        return None, None, None, d_input, *d_state, *(None,) * (len(tensors) - states)


_apply: Any = super(torch.autograd.Function, StepFunction).apply
"""As `StepFunction.apply` where nothing transforms, for which that looks at every argument, in a tenth of the time."""


def _as_layer(
    loop: Loop, rows: Rows, tape: Tensor, tensors: Sequence[Any], d_after: Sequence[Tensor | None]
) -> list[Tensor | None]:
    """The gradients of input, state and weights, `tensors`, from the functions that layers have for them."""
    count = 1 + len(d_after)
    where = Where(execution, loop.name, None, None, None, False, len(d_after), None)
    output = tape[rows.tape :].view(1, tensors[0].shape[0], -1)
    arriving = [None, *[None if d is None else d.unsqueeze(0) for d in d_after]]
    own = [*[tensor.unsqueeze(0) for tensor in tensors[:count]], *tensors[count:]]
    found = gradients(where, Wanted(True, True), arriving, output, tape, (), own)
    return [tensor.squeeze(0) for tensor in found[:count]] + list(found[count:])  # type: ignore[union-attr]


def _task() -> int:
    return torch._C._current_graph_task_id()  # noqa: SLF001


def _wanted(weights: Weights) -> list[bool]:
    return [tensor.requires_grad for tensor in weights if tensor is not None]


_loops: WeakValueDictionary[int, Loop] = WeakValueDictionary()
"""By the id of the first weight. The graphs of their steps hold them."""


def again(cell: Cell, weights: Weights, input: Tensor, state: State) -> State | None:
    """One step like the one before, if there was one with the same weights and shapes; else None."""
    loop = _loops.get(id(weights.ih))
    if loop is None:
        return None
    rows, given = loop.rows.get(input.shape[0]), (input, *state)
    if rows is None or [tensor.shape for tensor in given] != rows.shapes:
        return None
    dtype = weights.ih.dtype
    for tensor in given:
        if tensor.dtype is not dtype or not tensor.is_cpu:
            return None
    return loop.step(rows, input, state) if loop.looks_like(weights, handle(cell)) else None


def one(cell: Cell, weights: Weights, input: Tensor, state: State) -> State:
    """One step of one layer: input (B, I), state tensors (B, ·)."""
    name = handle(cell)
    loop = _loops.get(id(weights.ih))
    if loop is None or not loop.looks_like(weights, name):
        loop = _loops[id(weights.ih)] = Loop(name, cell, weights, torch.get_num_threads())
    return loop.step(loop.rows_like(input, state), input, state)


def possible(cell: Cell, weights: Weights) -> bool:
    """Whether a step with these weights can be one of a loop's."""
    return not cell.masks and not weights.given and recognisable(weights)
