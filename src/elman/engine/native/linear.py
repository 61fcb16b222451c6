"""Linear recurrences h_t = a_t h_{t-1} + b_t by the native engine: a program without any weights.

It knows arrays of real numbers, time first; nothing of autograd or of complex numbers as torch has them.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from elman.cells import Cell, Weights
from elman.engine.native.library import library, memory, numbers
from elman.engine.native.programs import Programs
from elman.engine.program import compile_cell
from elman.engine.program.contract import Kind
from elman.types import State

WIDTH = 64
"""Numbers are dealt out in rows of so many where they can be: what the runtime takes at a time."""


class Real(Cell):
    """One step on real numbers."""

    gates = ("a", "b")
    recurrent_gates = ()
    states = ("h",)

    def step(self, projected: Tensor, state: State, weights: Weights) -> State:  # noqa: ARG002
        a, b = projected.chunk(2, -1)
        return (a * state[0] + b,)


class Complex(Cell):
    """One step on complex numbers, in two parts."""

    gates = ("a_re", "a_im", "b_re", "b_im")
    recurrent_gates = ()
    states = ("re", "im")

    def step(self, projected: Tensor, state: State, weights: Weights) -> State:  # noqa: ARG002
        a_re, a_im, b_re, b_im = projected.chunk(4, -1)
        re, im = state
        return a_re * re - a_im * im + b_re, a_re * im + a_im * re + b_im


@cache
def _programs(parts: int, width: int) -> Programs:
    cell = Real() if parts == 1 else Complex()
    return Programs.of(compile_cell(cell, cell.bundle([None] * len(cell.fields)), every_state=True, given=width))


def _width(count: int) -> int:
    """How many numbers a row gets, of `count` in a step."""
    return next((width for width in range(WIDTH, 4 * WIDTH) if count % width == 0), count)


class _Run:
    """One recurrence over T steps of N numbers, each part (T, N), contiguous."""

    def __init__(self, parts: int, steps: int, count: int, dtype: torch.dtype) -> None:
        self.numbers = numbers(dtype)
        self.width = _width(count)
        self.programs = _programs(parts, self.width)
        self.batch = library().Batch(steps, count // self.width, 0, 0, False)
        self.threads = torch.get_num_threads()

    def job(self, program: Any, tape: Tensor) -> Any:
        plan = self.numbers.plan(program, self.batch, 0, self.threads)
        weights = self.numbers.Weights(program, 0, [], plan, self.threads)
        kept = self.numbers.Tape(self.programs.training, self.batch, tape.data_ptr())
        if program is self.programs.training:
            kept.begin()
        else:
            kept.prepare_backward(True)
        return self.numbers.Job(program, weights, self.batch, kept, plan)

    def tape(self, like: Tensor) -> Tensor:
        """What little a program without products keeps."""
        size = self.numbers.Tape.size(self.programs.training, self.batch.real_steps)
        return like.new_empty(size)

    def bind(self, job: Any, kind: Kind, arrays: Sequence[Tensor]) -> None:
        for index, array in enumerate(arrays):
            job.bind(kind, index, array.data_ptr(), self.width)


def forward(coefficients: Sequence[Tensor], initial: Sequence[Tensor]) -> list[Tensor]:
    """The states of all steps.

    Args:
        coefficients: a and b, or for complex numbers their parts a_re, a_im, b_re, b_im; each (T, N), contiguous.
        initial: h before the first step, or its parts; each (N,), contiguous.

    Returns:
        h, or its parts, each (T, N).

    """
    steps, count = coefficients[0].shape
    run = _Run(len(initial), steps, count, initial[0].dtype)
    states = [memory((steps, count), initial[0]) for _ in initial]
    tape = run.tape(initial[0])
    job = run.job(run.programs.training, tape)
    run.bind(job, Kind.EXTRA, coefficients)
    run.bind(job, Kind.NEXT, states)
    for k, tensor in enumerate(initial):
        job.bind_initial(k, tensor.data_ptr(), run.width)
    run.numbers.run([job], run.threads)
    return states


def backward(
    coefficients: Sequence[Tensor], initial: Sequence[Tensor], states: Sequence[Tensor], d_states: Sequence[Tensor]
) -> tuple[list[Tensor], list[Tensor]]:
    """The gradients of the coefficients, and of the initial state.

    Args:
        coefficients: as for `forward`.
        initial: as for `forward`.
        states: what it returned.
        d_states: the gradient of each, (T, N), contiguous.

    """
    steps, count = coefficients[0].shape
    run = _Run(len(initial), steps, count, initial[0].dtype)
    found = [memory((steps, count), initial[0]) for _ in coefficients]
    d_initial = [torch.zeros_like(tensor) for tensor in initial]
    tape = run.tape(initial[0])
    job = run.job(run.programs.backward, tape)
    run.bind(job, Kind.EXTRA, coefficients)
    run.bind(job, Kind.DEXTRA, found)
    run.bind(job, Kind.NEXT, states)
    run.bind(job, Kind.DSTATE, d_states)
    for k, (tensor, d) in enumerate(zip(initial, d_initial, strict=True)):
        job.bind_initial(k, tensor.data_ptr(), run.width)
        job.bind(Kind.CARRY, k, d.data_ptr(), run.width)
    run.numbers.run([job], run.threads)
    return found, d_initial
