"""Selective state spaces by the native engine: a program without matrices, on slices of the features.

It knows arrays of real numbers, time first; nothing of autograd or of the layout that torch's callers have.
"""

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from elman.cells import Cell, Weights
from elman.cells.s6 import selected
from elman.engine.native.library import library, memory, numbers
from elman.engine.native.programs import Programs
from elman.engine.program import compile_cell
from elman.engine.program.contract import Kind
from elman.types import State


class Selective(Cell):
    """One step of N states for each feature.

    d    = softplus(delta + bias), or delta + bias
    s_n' = exp(d * A_n) * s_n + d * u * B_n
    y    = Σ_n C_n * s_n' + D * u
    """

    gates = ("u", "delta")
    recurrent_gates = ()

    def __init__(self, count: int, *, softplus: bool) -> None:
        self.count, self.softplus = count, softplus

    @property
    def states(self) -> tuple[str, ...]:
        return ("y", *(f"s{n}" for n in range(self.count)))

    @property
    def parameters(self) -> dict[str, tuple[str | int, ...]]:
        return {"A": (f"{self.count}H",), "bias": ("H",), "D": ("H",)}

    @property
    def columns(self) -> tuple[str, ...]:
        """The numbers that all features of a row share: B_1 to B_N, then C_1 to C_N."""
        return (*(f"B{n}" for n in range(self.count)), *(f"C{n}" for n in range(self.count)))

    def step(self, projected: Tensor, state: State, weights: Weights) -> State:
        hidden = state[0].shape[-1]
        u, delta, *columns = torch.split(projected, [hidden, hidden, *[1] * (2 * self.count)], -1)
        d = F.softplus(delta + weights.bias) if self.softplus else delta + weights.bias
        return selected(d, u, weights.A, weights.D, columns, state[1:])


TILE, SLICE = 64, 256
"""Features that one job has at least, and that it has where rows are enough to give all threads work."""

STATES = 1 << 19
"""Numbers in the states that a job of more features than SLICE has at most: they lie in a core's own cache."""

KEPT = 1 << 18
"""Numbers in the states that each thread has in memory at once on the way back, which begins anew that often."""

LEAST = 16
"""Steps that are taken in one piece at least, however many numbers that are: the states between pieces are kept."""


@cache
def _programs(count: int, width: int, *, softplus: bool) -> Programs:
    cell = Selective(count, softplus=softplus)
    own = [torch.empty(count * width), torch.empty(width), torch.empty(width)]
    weights = cell.bundle([*[None] * len(Weights._fields), *own])
    return Programs.of(compile_cell(cell, weights, given=width, numbers=cell.columns))


class _Array:
    """A contiguous array, of which jobs get addresses by step, one of its dimensions, and by feature, the last."""

    def __init__(self, tensor: Tensor, steps: int = 0) -> None:
        self.tensor, self.first, self.feature = tensor, tensor.data_ptr(), tensor.element_size()
        self.step = tensor.stride(steps) * self.feature

    def at(self, step: int, feature: int = 0) -> int:
        """The address of the first row there."""
        return self.first + step * self.step + feature * self.feature


class Given(NamedTuple):
    """What a scan is of: T steps of B rows of D features with N states each; contiguous, of one type of number.

    Attributes:
        u: (T, B, D).
        delta: (T, B, D).
        a: (N, D).
        bias: of delta, (D,).
        skip: what D is called in the equation, (D,).
        columns: B_1 to B_N, then C_1 to C_N, (2N, T, B).
        initial: the states before the first step, (N, B, D).

    """

    u: Tensor
    delta: Tensor
    a: Tensor
    bias: Tensor
    skip: Tensor
    columns: Tensor
    initial: Tensor


def pieces(given: Given, threads: int) -> int:
    """In how many pieces of time a scan is taken: of LEAST steps at least, or of KEPT numbers for each thread at most.

    Sizes may be symbols of a compiler.
    """
    most: Any = torch.sym_max  # max would choose for the sizes that a compiler happens to see
    steps: int = most(LEAST, KEPT * threads // most(1, given.initial.numel()))
    return -(-given.u.shape[0] // steps)


def _ranges(steps: int, count: int) -> list[range]:
    """The steps of each piece."""
    return [range(steps * k // count, steps * (k + 1) // count) for k in range(count)]


def _cut(features: int, rows: int, count: int, threads: int) -> tuple[list[slice], int]:
    """The features in slices, as few as there may be, as each takes time to begin, and how many threads share rows."""
    across = min(threads, max(1, features // SLICE))
    along = min(rows, threads // across)
    across = max(1, min(threads // along, features // TILE))
    most = across * max(SLICE, STATES // (rows * count) // TILE * TILE)
    number = across * -(-features // most)
    ends = [round(features * k / number / TILE) * TILE for k in range(number)]
    return [slice(*pair) for pair in pairwise([*ends, features])], along


class Scan:
    """A scan, cut into slices of features and pieces of time.

    Args:
        given: what it is of.
        reset: (T, B) uint8, contiguous: where a row begins anew; or None.
        softplus: whether delta and its bias go through it.

    """

    def __init__(self, given: Given, reset: Tensor | None, *, softplus: bool) -> None:
        self.given, self.reset, self.softplus = given, reset, softplus
        self.steps, self.batch, self.features = given.u.shape
        self.count = len(given.a)
        self.inputs, self.columns = [_Array(given.u), _Array(given.delta)], _Array(given.columns, 1)
        self.of_columns = {"count": 2 * self.count, "apart": self.steps * self.batch}
        self.of_states = {"count": self.count, "apart": self.batch * self.features}
        self.numbers, self.threads = numbers(given.u.dtype), torch.get_num_threads()
        self.slices, along = _cut(self.features, self.batch, self.count, self.threads)
        self.plan = library().Plan(False, along, 1)
        self.weights = [self._weights(each) for each in self.slices]

    def _weights(self, each: slice) -> Any:
        own = [part.contiguous() for part in self._parts(each)]
        return self.numbers.Weights(self._programs(each).training, 0, [part.data_ptr() for part in own], self.plan, 1)

    def _parts(self, each: slice) -> tuple[Tensor, Tensor, Tensor]:
        return self.given.a[:, each], self.given.bias[each], self.given.skip[each]

    def forward(self, pieces: int) -> tuple[Tensor, Tensor]:
        """What is shown, (T, B, D), and the states before each of K pieces and after the last, (K + 1, N, B, D)."""
        shown, initial = self._memory(self.steps, self.batch, self.features), self.given.initial
        states = self._memory(pieces + 1, *initial.shape)
        states[0] = initial
        output, edges = _Array(shown), _Array(states)
        for number, piece in enumerate(_ranges(self.steps, pieces)):
            batch = self._batch(piece)
            jobs = []
            for place, each in enumerate(self.slices):
                job = self._job(self._programs(each).inference, batch, None, piece, place)
                job.bind(Kind.NEXT, 0, output.at(piece.start, each.start), self.features)
                self._begin(job, edges, number, each)
                job.bind_final(1, edges.at(number + 1, each.start), self.features, **self.of_states)
                jobs.append(job)
            self.numbers.run(jobs, self.threads)
        return shown, states

    def backward(self, states: Tensor, d_shown: Tensor, d_final: Tensor) -> Given:
        """The gradient of everything given.

        Args:
            states: as `forward` returned them.
            d_shown: the gradient of what is shown, (T, B, D), contiguous.
            d_final: of the states after the last step, (N, B, D).

        """
        ranges = _ranges(self.steps, len(states) - 1)
        d_inputs = [self._memory(self.steps, self.batch, self.features) for _ in self.inputs]
        d_columns = self._memory(len(self.slices), *self.given.columns.shape)
        d_parts = [[self._memory(len(ranges), *part.shape) for part in self._parts(each)] for each in self.slices]
        carried = d_final.clone(memory_format=torch.contiguous_format)
        found, sums = [_Array(array) for array in d_inputs], [_Array(own, 1) for own in d_columns]
        parts = [[_Array(part) for part in own] for own in d_parts]
        arriving, carry, edges, again = _Array(d_shown), _Array(carried), _Array(states), self._memories(ranges)
        for number, piece in reversed(list(enumerate(ranges))):
            batch = self._batch(piece)
            jobs, tapes = [], self._again(batch, piece, edges, number, again)
            for place, (each, tape) in enumerate(zip(self.slices, tapes, strict=True)):
                tape.prepare_backward(True)
                job = self._job(self._programs(each).backward, batch, tape, piece, place)
                self._begin(job, edges, number, each)
                job.bind(Kind.DSTATE, 0, arriving.at(piece.start, each.start), self.features)
                for index, array in enumerate(found):
                    job.bind(Kind.DEXTRA, index, array.at(piece.start, each.start), self.features)
                job.bind(Kind.DEXTRA, len(found), sums[place].at(piece.start), 1, **self.of_columns)
                job.bind(Kind.CARRY, 1, carry.at(0, each.start), self.features, **self.of_states)
                jobs.append(job)
            self.numbers.run(jobs, self.threads)
            for job, own in zip(jobs, parts, strict=True):
                self.numbers.parameter_gradients([job], [part.at(number) for part in own], 1)
        d_weights = [torch.cat([part.sum(0) for part in own], -1) for own in zip(*d_parts, strict=True)]
        return Given(*d_inputs, *d_weights, d_columns.sum(0), carried)  # type: ignore[call-arg] # mypy does not count lists

    def _memories(self, ranges: Sequence[range]) -> list[Tensor]:
        """What a piece shows, and a tape for each slice: for the longest, and for all in turn."""
        longest = max(ranges, key=len)
        steps = self._batch(longest).real_steps
        sizes = [self.numbers.Tape.size(self._programs(each).training, steps) for each in self.slices]
        return [self._memory(len(longest), self.batch, self.features), *map(self._memory, sizes)]

    def _again(self, batch: Any, piece: range, edges: _Array, number: int, memories: Sequence[Tensor]) -> list[Any]:
        """Run a piece once more, and keep on a tape for each slice what its way back needs."""
        shown, *tapes = memories
        output, jobs, kept = _Array(shown), [], []
        for place, (each, own) in enumerate(zip(self.slices, tapes, strict=True)):
            program = self._programs(each).training
            tape = self.numbers.Tape(program, batch, own.data_ptr())
            tape.begin()
            job = self._job(program, batch, tape, piece, place)
            job.bind(Kind.NEXT, 0, output.at(0, each.start), self.features)
            self._begin(job, edges, number, each)
            jobs.append(job)
            kept.append(tape)
        self.numbers.run(jobs, self.threads)
        return kept

    def _programs(self, each: slice) -> Programs:
        return _programs(self.count, each.stop - each.start, softplus=self.softplus)

    def _memory(self, *shape: int) -> Tensor:
        return memory(shape, self.given.u)

    def _batch(self, piece: range) -> Any:
        fresh = 0 if self.reset is None else self.reset[piece.start].data_ptr()
        return library().Batch(len(piece), self.batch, 0, fresh, False)

    def _job(self, program: Any, batch: Any, tape: Any, piece: range, place: int) -> Any:
        """A program on one slice of a piece."""
        first = self.slices[place].start
        job = self.numbers.Job(program, self.weights[place], batch, tape, self.plan)
        for index, array in enumerate(self.inputs):
            job.bind(Kind.EXTRA, index, array.at(piece.start, first), self.features)
        job.bind(Kind.EXTRA, len(self.inputs), self.columns.at(piece.start), 1, **self.of_columns)
        return job

    def _begin(self, job: Any, edges: _Array, number: int, each: slice) -> None:
        job.bind_initial(1, edges.at(number, each.start), self.features, **self.of_states)
