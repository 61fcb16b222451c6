"""Back-propagation once more on a few rows: with the last step's loss alone, and truncated to shorter windows.

For a window all pieces of a sequence lie side by side as rows of one batch, each with the state that the whole run had
at its beginning, and the loss gradient at the outputs as it came.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from elman import engine
from elman.cells import Weights
from elman.diagnosis.flow import Ends, last_step_only, state_norms
from elman.diagnosis.passage import Passage
from elman.diagnosis.sample import Stretch, detached
from elman.engine import Call
from elman.engine.record import Record
from elman.types import State

LEAST = 2
POWERS = (2, 4)
"""Windows of a quarter and a sixteenth of the steps, as far as they have LEAST steps."""


@dataclass(frozen=True, eq=False)
class Again:
    """What back-propagation on a few rows has brought.

    Attributes:
        whole: the gradient of the passage's weights, flat.
        cut: by window, the truncated one.
        last: by layer (T, R), the norm of the gradient at the states with the loss of each row's last step alone; empty
            where the passage's own gradients are just that.
    """

    whole: Tensor
    cut: dict[int, Tensor]
    last: list[Tensor]


def again(passage: Passage, ends: Ends, where: Stretch, asked: int | None) -> Again:
    """For windows of POWERS of a half of the steps, and the one that is asked for.

    A layer that reads sequences from their ends has no windows: nobody cuts them for it.
    """
    weights = [[detached(each) for each in directions] for directions in passage.weights]
    flat = [tensor.requires_grad_() for directions in weights for each in directions for tensor in each.flat()]
    stack = tuple(tuple(directions) for directions in weights)

    few = _Few(passage, ends, where)

    def gradient(window: int, records: list[Record] | None = None) -> Tensor:
        rows = few.cut(window)
        output, final = _run(passage, stack, rows, records)
        outputs, last = [output], [where.of(last_step_only(passage, ends))] if records else []
        given = [rows.at_output]
        if ends.uses_final:
            at_final = few.at_final(rows)
            outputs, given, last = [*outputs, *final], [*given, *at_final], [*last, *at_final]
        parts = torch.autograd.grad(
            outputs, flat, given, retain_graph=records is not None, allow_unused=True, materialize_grads=True
        )
        if records is not None:
            torch.autograd.grad(outputs, flat[:1], last, allow_unused=True)
        return torch.cat([part.flatten() for part in parts])

    mixed = len(ends.steps) > 1 or passage.window is not None
    records = [Record() for _ in stack] if mixed else None
    whole = gradient(where.steps, records)
    windows = _windows(where.steps, asked) if passage.directions == 1 else []
    return Again(
        whole, {window: gradient(window) for window in windows}, [] if records is None else _norms(records, passage)
    )


def _run(
    passage: Passage, stack: tuple[tuple[Weights, ...], ...], rows: "_Rows", records: list[Record] | None
) -> tuple[Tensor, list[Tensor]]:
    """Output and the final states of all layers, as in evaluation mode."""
    value: Tensor = rows.input
    finals: list[Tensor] = []
    for depth, (weights, state) in enumerate(zip(stack, rows.state, strict=True)):
        record = None if records is None else records[depth]
        output, final = engine.run(Call(passage.cell, weights, value, state, lengths=rows.lengths, record=record))
        finals += final
        value = output + value if passage.residual and depth > 0 else output
    return value, finals


def _norms(records: list[Record], passage: Passage) -> list[Tensor]:
    """By layer (T, R) in the order of reading, the norm of the gradient at the whole state."""
    found = []
    for record in records:
        if record.gradients is None:
            continue
        norms = state_norms(record.gradients)
        found += [norms[d].flip(0) if d else norms[d] for d in range(passage.directions)]
    return found


def compared(found: Sequence[Again]) -> tuple[dict[int, float], dict[int, float]]:
    """By window the cosine to the whole gradient, and the share of it that is kept along it, of several passages."""
    cosines, kept = {}, {}
    for window in sorted({window for each in found for window in each.cut}):
        pairs = [(each.whole, each.cut.get(window, each.whole)) for each in found]
        product, square, whole = (
            sum(float(a @ b) for a, b in chosen)
            for chosen in (pairs, [(cut, cut) for _, cut in pairs], [(whole, whole) for whole, _ in pairs])
        )
        if whole > 0 and math.isfinite(product) and math.isfinite(whole):
            kept[window] = product / whole
            cosines[window] = product / math.sqrt(whole * square) if square > 0 else 0.0
    return cosines, kept


def _windows(steps: int, asked: int | None) -> list[int]:
    parts = [steps >> power for power in POWERS if steps >> power >= LEAST] or [max(1, steps // 2)]
    return sorted({*parts, *([asked] if asked is not None and asked < steps else [])})


@dataclass(frozen=True, eq=False)
class _Rows:
    """A batch of windows, with the gradient at the output; states by layer, tensors (D, rows, ·)."""

    input: Tensor
    state: list[State]
    lengths: Tensor | None
    at_output: Tensor


class _Few:
    """A few rows of a passage, to be cut into windows."""

    def __init__(self, passage: Passage, ends: Ends, where: Stretch) -> None:
        self.passage, self.ends, self.where = passage, ends, where
        self.input, self.at_output = where.of(passage.input), where.of(ends.output)
        rows = where.rows.to(self.input.device)
        fresh = where.starts > 0
        if passage.reset is not None:
            fresh = fresh | passage.reset[0].cpu()[where.rows]
        shut = fresh[:, None].to(self.input.device)
        self.first = [tuple(tensor[:, rows].masked_fill(shut, 0) for tensor in state) for state in passage.given]

    def cut(self, window: int) -> _Rows:
        """Their windows side by side, the last one shorter where they do not fit."""
        rows, steps = len(self.where.rows), self.where.steps
        count = -(-steps // window)
        short = steps - (count - 1) * window
        lengths = None
        if short < window and self.ends.uses_final:  # elsewhere no gradient comes from behind the end
            lengths = torch.full((count, rows), window)
            lengths[-1] = short
            lengths = lengths.flatten()
        state = [self._at_starts(layer, window) for layer in range(len(self.first))]
        input, at_output = (_side_by_side(values, window) for values in (self.input, self.at_output))
        return _Rows(input, state, lengths, at_output)

    def at_final(self, rows: _Rows) -> list[Tensor]:
        """The gradients at the final states of all layers: the last windows', of sequences that end there."""
        passage, where = self.passage, self.where
        length = passage.lengths if passage.lengths is not None else torch.full((passage.batch,), passage.steps)
        whole = where.starts + where.steps == length[where.rows]  # one that a reset has ended has no final state
        found = []
        for begins, ends in zip(rows.state, self.ends.final, strict=True):
            for begin, end in zip(begins, ends, strict=True):
                own = end[:, where.rows.to(end.device)] * whole.to(end)[:, None]
                found.append(torch.cat([torch.zeros_like(begin[:, len(where.rows) :]), own], 1))
        return found

    def _at_starts(self, layer: int, window: int) -> State:
        """The states (D, windows * R, ·) with which a layer's windows begin; several of one direction only."""
        times = torch.arange(window, self.where.steps, window) - 1
        if not len(times):
            return self.first[layer]
        inside = [self.where.of(states, times).flatten(0, 1) for states in self.passage.states[layer]]
        return tuple(torch.cat([f, i.unsqueeze(0)], 1) for f, i in zip(self.first[layer], inside, strict=True))


def _side_by_side(values: Tensor, window: int) -> Tensor:
    """(T, R, ...) as (window, windows * R, ...), with zeros after the end."""
    steps, rows = values.shape[:2]
    count = -(-steps // window)
    if count * window > steps:
        values = torch.cat([values, values.new_zeros(count * window - steps, *values.shape[1:])])
    return values.reshape(count, window, rows, -1).transpose(0, 1).reshape(window, count * rows, -1)
