"""A sample of a passage: a few rows of it, one layer and direction, in the order in which the layer reads.

It holds what the costlier measurements need; they do not look at the whole batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from elman.cells import Cell, Weights
from elman.diagnosis.passage import Passage
from elman.types import State


@dataclass(frozen=True, eq=False)
class Stretch:
    """Where rows of one length lie in a passage, without a reset inside, as one direction reads them.

    Attributes:
        rows: (R,).
        first: (R,), the time of the step that is read first.
        steps: of each.
        sign: 1, or -1 in reverse.
        given: of each row, whether it begins with the state that the row was given.
        carried: whether with that after the step before; else with zeros.
        ended: whether the last step is the last one of the row.

    """

    rows: Tensor
    first: Tensor
    steps: int
    sign: int
    given: tuple[bool, ...]
    carried: tuple[bool, ...]
    ended: tuple[bool, ...]

    def of(self, values: Sequence[Tensor], steps: Tensor | None = None) -> list[Tensor]:
        """(steps, R, ...) out of values (T, B, ...) each: all steps in the order of reading, or some of them."""
        device = values[0].device
        time = self.first + self.sign * (torch.arange(self.steps) if steps is None else steps)[:, None]
        places = time.clamp(0, len(values[0]) - 1).to(device), self.rows.to(device)
        return [value[places] for value in values]


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows of one layer in one direction, at least in float32.

    Attributes:
        cell: the time step.
        weights: of the layer, detached.
        steps: (T,), of the stretch.
        projected: the projected input, (T, R, ·).
        before: the state before each step, tensors (T, R, ·).

    """

    cell: Cell
    weights: Weights
    steps: Tensor
    projected: Tensor
    before: State


def detached(weights: Weights, dtype: torch.dtype | None = None) -> Weights:
    """Weights outside the graph, in another precision where one is given."""
    found = (None if tensor is None else tensor.detach().to(dtype or tensor.dtype) for tensor in weights)
    return type(weights)._make(found)


def stretch(passage: Passage, direction: int, rows: int) -> Stretch:
    """The longest stretches of at most `rows` rows, evenly chosen among those of about the greatest length.

    Both directions get the same.
    """
    found = sorted(_stretches(passage), key=lambda s: s[1] - s[2])
    longest = found[0][2] - found[0][1]
    long = [each for each in found if 10 * (each[2] - each[1]) >= 9 * longest]
    chosen = [long[i * len(long) // min(rows, len(long))] for i in range(min(rows, len(long)))]
    steps = min(stop - start for _, start, stop in chosen)
    places = []
    for row, start, _ in chosen:
        length = passage.steps if passage.lengths is None else int(passage.lengths[row])
        # A step that begins a segment is where a forward direction begins anew, and behind where a reverse one does.
        bounds = start, start + steps
        begin, end = bounds[::-1] if direction else bounds
        anew = passage.reset is not None and begin < length and bool(passage.reset[begin, row])
        own = begin in (0, length)
        places.append((row, begin - direction, own and not anew, not own and not anew, end in (0, length)))
    read, first, given, carried, ended = zip(*places, strict=True)
    return Stretch(torch.tensor(read), torch.tensor(first), steps, -1 if direction else 1, given, carried, ended)


def beginning(passage: Passage, layer: int, where: Stretch) -> State:
    """The state (R, ·) of a layer with which the rows begin."""
    depth, direction = divmod(layer, passage.directions)
    found = [given[direction][where.rows.to(given.device)] for given in passage.given[depth]]
    if all(where.given):
        return tuple(found)
    before = where.of(passage.states[layer], torch.tensor([-1]))
    kept, carried = (torch.tensor(each)[:, None].to(found[0].device) for each in (where.given, where.carried))
    return tuple(
        torch.where(carried, states[0], own.masked_fill(~kept, 0)) for own, states in zip(found, before, strict=True)
    )


def sample(passage: Passage, layer: int, where: Stretch, steps: Tensor) -> Sample:
    """The sample of a layer at some steps there, with the states of the passage."""
    before = where.of(passage.states[layer], steps - 1)
    if steps[0] == 0:
        for tensor, own in zip(before, beginning(passage, layer, where), strict=True):
            tensor[0] = own
    (inputs,) = where.of([passage.input if layer < passage.directions else _below(passage, layer)], steps)
    dtype = torch.promote_types(inputs.dtype, torch.float32)
    weights = detached(passage.weights_of(layer), dtype)
    projected = passage.cell.project(inputs.to(dtype), weights)
    return Sample(passage.cell, weights, steps, projected, tuple(tensor.to(dtype) for tensor in before))


def _below(passage: Passage, layer: int) -> Tensor:
    """What a layer reads: the outputs of the layer below, of all its directions, and what a residual adds to them."""
    first = (layer // passage.directions - 1) * passage.directions
    output = torch.cat([state[0] for state in passage.states[first : first + passage.directions]], -1)
    return output + _below(passage, first) if passage.residual and first > 0 else output


def _stretches(passage: Passage) -> list[tuple[int, int, int]]:
    """Of each row (row, start, stop) of its longest stretch between resets."""
    longest: dict[int, tuple[int, int, int]] = {}
    for each in passage.segments:
        best = longest.setdefault(each[0], each)
        if each[2] - each[1] > best[2] - best[1]:
            longest[each[0]] = each
    return list(longest.values())
