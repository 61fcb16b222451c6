"""Naive forecasts: the last value, the values of the last season, a linear map of the window.

They see windows of numbers, one target at a time, and do not know what is measured.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Windows = Iterable[tuple[Floats, Floats]]

RIDGE_CONTEXT = 336
PENALTIES = (1.0, 10.0, 100.0, 1000.0)
MOST = 50_000


def persistence(past: Floats, horizon: int) -> Floats:
    """Repeat the last value: (T, B) -> (horizon, B)."""
    return np.repeat(past[-1:], horizon, axis=0)


def seasonal(past: Floats, horizon: int, season: int) -> Floats:
    """Repeat the last season, where the past goes back so far, else the last value: (T, B) -> (horizon, B)."""
    back = season - np.arange(horizon) % season
    return past[-np.where(back <= len(past), back, 1)]


class Ridge:
    """Every future step of a target as a linear map of its last values, all relative to the last of them.

    Attributes:
        context: how many of them.
        weights: (context + 1, horizon) float64, the constant last.
    """

    def __init__(self, context: int, weights: Floats) -> None:
        self.context, self.weights = context, weights

    def predict(self, past: Floats) -> Floats:
        """Return (horizon, B) for (T, B)."""
        found: Floats = (_features(past, self.context) @ self.weights).T + past[-1]
        return found


def ridges(learnt: Windows, held: Windows) -> list[Ridge]:
    """Fit one for each target, batch by batch.

    Args:
        learnt: past (T, B, C) and future (horizon, B, targets) of windows of training, in batches.
        held: likewise of other windows, to choose the penalty on the weights by.
    """
    squares: list[Any] = []
    products: list[Any] = []
    context = 0
    for past, future in learnt:
        context = min(RIDGE_CONTEXT, len(past))
        for k in range(future.shape[2]):
            features, known = _features(past[..., k], context), (future[..., k] - past[-1, :, k]).T
            if k == len(squares):
                squares.append(0.0)
                products.append(0.0)
            squares[k] = squares[k] + features.T @ features
            products[k] = products[k] + features.T @ known
    penalized = np.eye(context + 1)
    penalized[-1, -1] = 0  # the constant is free
    candidates = [
        [np.linalg.solve(square + penalty * penalized, product) for penalty in PENALTIES]
        for square, product in zip(squares, products, strict=True)
    ]
    errors = np.zeros((len(candidates), len(PENALTIES)))
    for past, future in held:
        for k, own in enumerate(candidates):
            features, known = _features(past[..., k], context), (future[..., k] - past[-1, :, k]).T
            errors[k] += [np.square(features @ weights - known).sum() for weights in own]
    return [Ridge(context, own[best]) for own, best in zip(candidates, errors.argmin(1), strict=True)]


def _features(past: Floats, context: int) -> Floats:
    """(B, context + 1) float64, a one at the end."""
    rows = (past[len(past) - context :] - past[-1]).T.astype(np.float64)
    return np.concatenate([rows, np.ones((len(rows), 1))], axis=1)


def season_of(values: Floats, most: int) -> int:
    """Return the lag, up to `most`, at which the changes of all series (T, C) are most alike; 1 where none is.

    Lags before the autocorrelation is first negative do not count, nor does the first lag, where noise makes it so:
    near changes are alike in any smooth series. Of several peaks about as high, the first: others are its multiples.
    """
    changes = np.diff(values, axis=0)
    changes = changes - changes.mean(0)
    spectrum = np.abs(np.fft.rfft(changes, 2 * len(changes), axis=0)) ** 2
    likeness = np.fft.irfft(spectrum, axis=0)[: most + 1]
    likeness = (likeness / np.where(likeness[0] > 0, likeness[0], 1.0)).mean(1)
    begin = 2 + int((likeness[2:] < 0).argmax()) if (likeness[2:] < 0).any() else len(likeness)
    later = likeness[begin:]
    if not len(later) or later.max() < 2 / np.sqrt(len(values)):
        return 1
    peaks = np.flatnonzero((later >= 0.8 * later.max()) & (np.append(later[1:], -np.inf) < later))
    return int(peaks[0]) + begin
