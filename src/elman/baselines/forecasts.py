"""Naive forecasts: the last value, the values of the last season, a linear map of the window.

They see windows of numbers, one target at a time, and do not know what is measured.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]

RIDGE_CONTEXT = 336
PENALTIES = (1.0, 10.0, 100.0, 1000.0)
MOST = 50_000


def persistence(past: Floats, horizon: int) -> Floats:
    """Repeat the last value: (T, B) -> (horizon, B)."""
    return np.repeat(past[-1:], horizon, axis=0)


def seasonal(past: Floats, horizon: int, season: int) -> Floats:
    """Repeat the last season, or what of it there is: (T, B) -> (horizon, B)."""
    season = min(season, len(past))
    return past[-season:][np.arange(horizon) % season]


class Ridge:
    """Every future step as a linear map of the last values, all relative to the last of them.

    Args:
        past: (T, B), of training.
        future: (horizon, B).
        held: past and future of other windows, to choose the penalty on the weights by.
    """

    def __init__(self, past: Floats, future: Floats, held: tuple[Floats, Floats]) -> None:
        self.context = min(RIDGE_CONTEXT, len(past))
        features, known = self._features(past), future - past[-1]
        squares, products = features.T @ features, features.T @ known.T
        penalized = np.eye(len(squares))
        penalized[-1, -1] = 0  # the constant is free
        best = np.inf
        for penalty in PENALTIES:
            weights = np.linalg.solve(squares + penalty * penalized, products)
            error = float(np.square(self._features(held[0]) @ weights - (held[1] - held[0][-1]).T).mean())
            if error < best:
                best, self.weights = error, weights

    def predict(self, past: Floats) -> Floats:
        """Return (horizon, B) for (T, B)."""
        found: Floats = (self._features(past) @ self.weights).T + past[-1]
        return found

    def _features(self, past: Floats) -> Floats:
        """(B, context + 1) float64, a one at the end."""
        rows = (past[len(past) - self.context :] - past[-1]).T.astype(np.float64)
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
