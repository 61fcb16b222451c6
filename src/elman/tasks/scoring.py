"""How probable a network finds a text: ln P of every symbol, for one long stream or for many separate lines.

It knows networks of the form (inputs (T, B), state) -> (scores (T, B, V), state), and nothing of runs or figures.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from elman.data.buckets import in_order
from elman.data.stream import Symbols, Window, scoring_windows
from elman.types import State

Floats = npt.NDArray[np.float64]

LANES = 32
STEPS = 256
CONTEXT = 256
MOST = 1 << 25
"""Scores that are held at once; with 4096 symbols these are all of a window."""


def log_probabilities(network: Any, size: int, symbols: Symbols) -> Floats:
    """Return ln P(symbol | those before it) for every symbol but the first, (T-1,), in the order of scoring.

    Args:
        network: as above.
        size: V.
        symbols: the stream, (T,).
    """
    windows = _cut(scoring_windows(symbols, LANES, STEPS, CONTEXT), size)
    chosen = [found[scored] for found, scored in _chosen(network, windows)]
    return np.concatenate([np.empty(0), *chosen])


def line_log_probabilities(network: Any, size: int, begin: list[int], lines: list[Symbols]) -> list[float]:
    """Return ln P(line | begin) for every line by itself, in the order given.

    Lines of similar length are scored side by side, very long ones beside fewer others; what is scored beside a line
    does not change its result.
    """
    totals = [0.0] * len(lines)
    for group in in_order(np.array([len(line) for line in lines], np.int64), LANES):
        windows = _cut(_line_windows(begin, [lines[k] for k in group]), size)
        sums = sum(
            (np.where(scored, found, 0).sum(0) for found, scored in _chosen(network, windows)), np.zeros(len(group))
        )
        for k, total in zip(group, sums, strict=True):
            totals[k] = float(total)
    return totals


def _chosen(network: Any, windows: Iterable[Window]) -> Iterator[tuple[Floats, npt.NDArray[np.bool_]]]:
    """Yield, for each window, ln P of the targets (T, B), and which of them count."""
    state: State | None = None
    device = next(network.parameters()).device
    with torch.inference_mode():
        for window in windows:
            scores, state = network(window.inputs.to(device), None if window.fresh else state)
            found = scores.log_softmax(-1).gather(-1, window.targets.to(device).unsqueeze(-1)).squeeze(-1)
            scored = torch.ones_like(window.targets, dtype=torch.bool) if window.scored is None else window.scored
            yield found.double().cpu().numpy(), scored.numpy()


def _cut(windows: Iterable[Window], size: int) -> Iterator[Window]:
    """Cut windows in time, so that no more than MOST scores are held."""
    for window in windows:
        steps, lanes = window.inputs.shape
        each = max(1, MOST // (lanes * size))
        for t in range(0, steps, each):
            part = slice(t, t + each)
            scored = None if window.scored is None else window.scored[part]
            yield Window(window.inputs[part], window.targets[part], scored, window.fresh and t == 0)


def _line_windows(begin: list[int], lines: list[Symbols]) -> Iterator[Window]:
    """Yield windows over lines that lie side by side, each after `begin`, which is not scored."""
    longest = len(begin) + max(len(line) for line in lines)
    rows = np.zeros((longest, len(lines)), np.int64)
    scored = np.zeros((longest, len(lines)), bool)
    for k, line in enumerate(lines):
        rows[: len(begin), k] = begin
        rows[len(begin) : len(begin) + len(line), k] = line
        scored[len(begin) : len(begin) + len(line), k] = True
    inputs, targets, counted = torch.from_numpy(rows), torch.from_numpy(rows[1:]), torch.from_numpy(scored[1:])
    for t in range(0, longest - 1, STEPS):
        stop = min(t + STEPS, longest - 1)
        yield Window(inputs[t:stop], targets[t:stop], counted[t:stop], fresh=t == 0)
