"""What a report shows of forecasts: figures of every target and series, and windows as pictures.

It knows series and errors, and not how pages are drawn.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from elman.baselines import forecasts as naive
from elman.data.parts import spread
from elman.data.ragged import Integers
from elman.data.windows import TrackWindows, WindowBatch
from elman.modalities.forecast import LEVELS
from elman.tasks.forecast_errors import Errors, by_network, by_points, measure, side_by_side
from elman.tasks.tracks import PreparedTracks

PICTURED, MOST, TARGETS = 4, 400, 50
"""Windows that are shown; time steps of the past in each, and targets of which there are pictures, at most."""


def showcase(network: Any, prepared: PreparedTracks, errors: Callable[[PreparedTracks, str], Errors]) -> dict[str, Any]:
    """Return for the last part the figures, and a few windows with what was forecast.

    Args:
        network: the forecaster.
        prepared: the series.
        errors: makes sums that are still empty for a part.
    """
    part, layout = prepared.shown, prepared.layout
    windows = prepared.windows(part)
    pictured = _pictured(prepared, windows)
    own = measure(errors(prepared, part), windows, by_network(network))
    targets = len(layout.targets)
    season = by_points(lambda past, _: naive.seasonal(past, layout.horizon, layout.season), targets)
    last = by_points(lambda past, _: naive.persistence(past, layout.horizon), targets)
    rival, held = (measure(errors(prepared, part), windows, each) for each in (season, last))
    found: dict[str, Any] = {
        "part": part,
        "levels": list(LEVELS),
        "targets": own.by_target(layout.targets),
        "below": own.by_level(),
        "ahead": {
            "unit": "MASE" if layout.group else "MAE, original units",
            "network": own.by_step(),
            f"last season of {layout.season}": rival.by_step(),
            "last value": held.by_step(),
        },
        "windows": _pictures(network, prepared, part, windows.batch(pictured)),
    }
    if times := _times(prepared, part, windows, pictured):
        found |= {"time": layout.time, "times": times}
    if layout.group:
        names = [track.name for track in prepared.tracks(part)]
        found["series"] = {"season": layout.season, **side_by_side(own, rival, names)}
    return found


def _pictures(network: Any, prepared: PreparedTracks, part: str, batch: WindowBatch) -> list[list[dict[str, Any]]]:
    """For targets, of very many the first, some windows in original units: the past, what came, what was forecast."""
    said = batch.original(by_network(network)(batch))
    past = batch.original(batch.past[-_shown(prepared) :, :, : len(prepared.layout.targets), None].numpy())[..., 0]
    tracks = prepared.tracks(part)
    pictures: list[list[dict[str, Any]]] = [[] for _ in prepared.layout.targets[:TARGETS]]
    for k, own in enumerate(pictures):
        for b, owner in enumerate(batch.owners):
            lines = {"past": past[:, b, k], "future": batch.came[:, b, k], "quantiles": said[:, b, k, :-1].T}
            seen = np.concatenate([lines["past"], lines["future"]])
            digits = 6 - int(np.floor(np.log10(np.ptp(seen) or np.abs(seen).max() or 1.0)))
            drawn: dict[str, Any] = {name: line.round(digits).tolist() for name, line in lines.items()}
            own.append(drawn | ({"series": tracks[owner].name} if prepared.layout.group else {}))
    return pictures


def _shown(prepared: PreparedTracks) -> int:
    """Time steps of the past in a picture."""
    return min(prepared.layout.context, 3 * prepared.layout.horizon, MOST)


def _times(prepared: PreparedTracks, part: str, windows: TrackWindows, chosen: Integers) -> list[list[Any]]:
    """When the time steps of each picture are, numbers as they are; none where rows are in order and that is all."""
    tracks, found = prepared.tracks(part), []
    for owner, start in zip(windows.owners[chosen], windows.starts[chosen], strict=True):
        times = tracks[owner].times
        if times is None:
            return []
        first = int(start) - sum(len(track) for track in tracks[:owner]) + prepared.layout.context - _shown(prepared)
        own = times[first : first + _shown(prepared) + prepared.layout.horizon]
        found.append(own.to_list() if own.dtype.is_numeric() else [str(time) for time in own])
    return found


def _pictured(prepared: PreparedTracks, windows: TrackWindows) -> Integers:
    """Windows from all over a part; of several series one each, from series of all sizes."""
    if not prepared.layout.group:
        return spread(len(windows), PICTURED)
    there = np.unique(windows.owners)
    by_size = there[np.argsort(windows.scales.deviation[there, 0], kind="stable")]
    chosen = by_size[spread(len(there), PICTURED)]
    return np.array([np.flatnonzero(windows.owners == owner)[-1] for owner in chosen])
