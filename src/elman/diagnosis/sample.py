"""A sample of a passage: a few rows of it, one layer and direction, in the order in which the layer reads.

It holds what the costlier measurements need; they do not look at the whole batch.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from elman.cells import Cell, Weights
from elman.diagnosis.passage import Passage
from elman.engine import Call
from elman.engine.record import Record
from elman.types import State


@dataclass(frozen=True, eq=False)
class Stretch:
    """Where rows of one length lie in a passage, without a reset inside: (row, first step), and the steps of each."""

    rows: Tensor
    starts: Tensor
    steps: int

    def of(self, values: Tensor, times: Tensor | None = None) -> Tensor:
        """(steps, R, ...) out of values (T, B, ...): all steps of the stretch, or those at `times`."""
        time = self.starts + (torch.arange(self.steps) if times is None else times)[:, None]
        return values[time.clamp(min=0).to(values.device), self.rows.to(values.device)]


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows of one layer in one direction.

    Attributes:
        cell: the time step.
        weights: of the layer, detached.
        inputs: (T, R, I).
        before: the state before each step, tensors (T, R, ·).

    """

    cell: Cell
    weights: Weights
    inputs: Tensor
    before: State

    def call(self, inputs: Tensor, record: Record | None = None) -> Call:
        """The engine's call that takes the rows through the layer once more, from these inputs."""
        state = tuple(tensor[:1] for tensor in self.before)
        return Call(self.cell, (self.weights,), inputs, state, record=record)

    def to(self, dtype: torch.dtype) -> "Sample":
        """The same in another precision."""
        weights = detached(self.weights, dtype)
        return Sample(self.cell, weights, self.inputs.to(dtype), tuple(tensor.to(dtype) for tensor in self.before))


def detached(weights: Weights, dtype: torch.dtype | None = None) -> Weights:
    """Weights outside the graph, in another precision where one is given."""
    found = (None if tensor is None else tensor.detach().to(dtype or tensor.dtype) for tensor in weights)
    return type(weights)(*found)  # type: ignore[arg-type]


def stretch(passage: Passage, layer: int, rows: int) -> Stretch:
    """The longest stretches of at most `rows` rows, evenly chosen among those of about the greatest length."""
    found = sorted(_stretches(passage), key=lambda s: s[1] - s[2])
    longest = found[0][2] - found[0][1]
    long = [each for each in found if 10 * (each[2] - each[1]) >= 9 * longest]
    chosen = [long[i * len(long) // min(rows, len(long))] for i in range(min(rows, len(long)))]
    if layer % passage.directions:
        ends = passage.lengths if passage.lengths is not None else torch.full((passage.batch,), passage.steps)
        chosen = [(row, int(ends[row]) - stop, int(ends[row]) - start) for row, start, stop in chosen]
    steps = min(stop - start for _, start, stop in chosen)
    return Stretch(torch.tensor([row for row, *_ in chosen]), torch.tensor([start for _, start, _ in chosen]), steps)


def sample(passage: Passage, layer: int, where: Stretch, times: Tensor | None = None) -> Sample:
    """The sample of a layer there, with the states of the passage; of `times`, where not all steps are wanted."""
    chosen = torch.arange(where.steps) if times is None else times
    before = []
    begins = passage.given[layer // passage.directions]
    for given, states in zip(begins, passage.states[layer], strict=True):
        taken = where.of(passage.in_reading_order(states, layer), chosen - 1)
        if chosen[0] == 0:
            fresh = ((where.starts > 0) | _begins_anew(passage, where))[:, None].to(taken.device)
            taken[0] = given[layer % passage.directions][where.rows.to(given.device)].masked_fill(fresh, 0)
        before.append(taken)
    inputs = passage.input if layer < passage.directions else _below(passage, layer)
    read = where.of(passage.in_reading_order(inputs, layer), chosen)
    return Sample(passage.cell, detached(passage.weights_of(layer)), read, tuple(before))


def _below(passage: Passage, layer: int) -> Tensor:
    """What a layer reads: the outputs of the layer below, of all its directions, and what a residual adds to them."""
    first = (layer // passage.directions - 1) * passage.directions
    output = torch.cat([state[0] for state in passage.states[first : first + passage.directions]], -1)
    return output + _below(passage, first) if passage.residual and first > 0 else output


def _begins_anew(passage: Passage, where: Stretch) -> Tensor:
    """(R,): whether the first step of all is a reset."""
    if passage.reset is None:
        return torch.zeros(len(where.rows), dtype=torch.bool)
    return passage.reset[0].cpu()[where.rows]


def _stretches(passage: Passage) -> list[tuple[int, int, int]]:
    """Of each row (row, start, stop) of its longest stretch between resets."""
    stops = [passage.steps] * passage.batch if passage.lengths is None else passage.lengths.tolist()
    if passage.reset is None:
        return [(row, 0, stop) for row, stop in enumerate(stops)]
    found = []
    for row, stop in enumerate(stops):
        bounds = [0, *(t for t in passage.reset[:stop, row].nonzero().flatten().tolist() if t), stop]
        found.append((row, *max(pairwise(bounds), key=lambda pair: pair[1] - pair[0])))
    return found
