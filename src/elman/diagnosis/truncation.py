"""Back-propagation once more on a few rows, truncated to shorter windows.

For a window all pieces of a sequence lie side by side as rows of one batch, each with the state that the whole run had
at its beginning, and the loss gradient at the outputs as it came.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from elman import engine
from elman.cells import Weights
from elman.diagnosis.few import Few
from elman.diagnosis.passage import Passage
from elman.diagnosis.sample import detached
from elman.engine import Call
from elman.types import State

LEAST = 2
POWERS = (2, 4)
"""Windows of a quarter and a sixteenth of the steps, as far as they have LEAST steps."""


@dataclass(frozen=True, eq=False)
class Gradients:
    """What back-propagation on a few rows has brought.

    Attributes:
        whole: the gradient of the passage's weights, flat.
        cut: by window, the truncated one.
    """

    whole: Tensor
    cut: dict[int, Tensor]


def truncated(few: Sequence[Few], asked: Sequence[int | None]) -> tuple[dict[int, float], dict[int, float]]:
    """By window the cosine to the whole gradient, and the share of it that is kept along it, of several passages.

    For windows of POWERS of a half of the longest passage's steps, and those that are asked for. A passage that is
    shorter than a window is whole. Layers that read sequences from their ends, too, are left out: nobody cuts them.
    """
    cut = [each for each in few if each.passage.directions == 1]
    windows = _windows(max((each.where.steps for each in cut), default=0), asked)
    return _compared([_gradients(each, windows) for each in cut])


def _gradients(few: Few, windows: Sequence[int]) -> Gradients:
    passage, steps = few.passage, few.where.steps
    stack = [detached(weights) for (weights,) in passage.weights]
    flat = [tensor.requires_grad_() for weights in stack for tensor in weights.flat()]

    def gradient(window: int) -> Tensor:
        rows = _cut(few, window)
        output, final = _run(passage, stack, rows)
        outputs, given = [output], [rows.at_output]
        if few.ends.uses_final:
            outputs, given = [output, *final], [rows.at_output, *rows.at_final]
        parts = torch.autograd.grad(outputs, flat, given, allow_unused=True, materialize_grads=True)
        return torch.cat([part.flatten() for part in parts])

    return Gradients(gradient(steps), {window: gradient(window) for window in windows if window < steps})


def _run(passage: Passage, stack: Sequence[Weights], rows: "_Rows") -> tuple[Tensor, list[Tensor]]:
    """Output and the final states of all layers, as in evaluation mode."""
    value: Tensor = rows.input
    finals: list[Tensor] = []
    for depth, (weights, state) in enumerate(zip(stack, rows.state, strict=True)):
        output, final = engine.run(Call(passage.cell, (weights,), value, state, lengths=rows.lengths))
        finals += final
        value = output + value if passage.residual and depth > 0 else output
    return value, finals


def _compared(found: Sequence[Gradients]) -> tuple[dict[int, float], dict[int, float]]:
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


def _windows(steps: int, asked: Sequence[int | None]) -> list[int]:
    parts = [steps >> power for power in POWERS if steps >> power >= LEAST] or [max(1, steps // 2)]
    return sorted({*parts, *(window for window in asked if window is not None and window < steps)})


@dataclass(frozen=True, eq=False)
class _Rows:
    """A batch of windows, with the gradient at output and final states; states by layer, tensors (1, rows, ·)."""

    input: Tensor
    state: list[State]
    lengths: Tensor | None
    at_output: Tensor
    at_final: list[Tensor]


def _cut(few: Few, window: int) -> _Rows:
    """The windows of a few rows side by side, the last one shorter where they do not fit."""
    rows, steps = len(few.where.rows), few.where.steps
    count = -(-steps // window)
    short = steps - (count - 1) * window
    lengths = None
    if short < window and few.ends.uses_final:  # elsewhere no gradient comes from behind the end
        lengths = torch.full((count, rows), window)
        lengths[-1] = short
        lengths = lengths.flatten()
    state = [_at_starts(few, layer, window) for layer in range(len(few.first))]
    input, at_output = (_side_by_side(values, window) for values in (few.input, few.at_output))
    at_final = [F.pad(each, (0, 0, (count - 1) * rows, 0)) for final in few.at_final for each in final]
    return _Rows(input, state, lengths, at_output, at_final)


def _at_starts(few: Few, layer: int, window: int) -> State:
    """The states (1, windows * R, ·) with which a layer's windows begin."""
    times = torch.arange(window, few.where.steps, window) - 1
    inside = [states.flatten(0, 1) for states in few.where.of(few.passage.states[layer], times)]
    return tuple(torch.cat([f, i.unsqueeze(0)], 1) for f, i in zip(few.first[layer], inside, strict=True))


def _side_by_side(values: Tensor, window: int) -> Tensor:
    """(T, R, ...) as (window, windows * R, ...), with zeros after the end."""
    steps, rows = values.shape[:2]
    count = -(-steps // window)
    if count * window > steps:
        values = torch.cat([values, values.new_zeros(count * window - steps, *values.shape[1:])])
    return values.reshape(count, window, rows, -1).transpose(0, 1).reshape(window, count * rows, -1)
