"""What a report shows of forecasts: figures of every target and series, and windows as pictures.

It knows series and errors, and not how pages are drawn.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from elman.baselines import forecasts as naive
from elman.data.parts import spread
from elman.data.ragged import Integers
from elman.data.windows import TrackWindows
from elman.modalities.forecast import LEVELS
from elman.tasks.forecast_errors import Errors, by_network, by_points, measure, side_by_side
from elman.tasks.tracks import PreparedTracks

PICTURED = 4


def showcase(network: Any, prepared: PreparedTracks, errors: Callable[[PreparedTracks, str], Errors]) -> dict[str, Any]:
    """Return for the last part the figures, and a few windows with what was forecast.

    Args:
        network: the forecaster.
        prepared: the series.
        errors: makes sums that are still empty for a part.
    """
    part, layout = "test" if "test" in prepared.facts else "valid", prepared.layout
    windows = prepared.windows(part)
    own = measure(errors(prepared, part), windows, by_network(network))
    found: dict[str, Any] = {
        "part": part,
        "levels": list(LEVELS),
        "targets": own.by_target(layout.targets),
        "windows": _pictures(network, prepared, part, windows),
    }
    if layout.group:
        repeat = by_points(lambda past, _: naive.seasonal(past, layout.horizon, layout.season), len(layout.targets))
        rival = measure(errors(prepared, part), windows, repeat)
        names = [track.name for track in prepared.tracks(part)]
        found["series"] = {"season": layout.season, **side_by_side(own, rival, names)}
    return found


def _pictures(network: Any, prepared: PreparedTracks, part: str, windows: TrackWindows) -> list[list[dict[str, Any]]]:
    """For every target some windows in original units: some of the past, what came, what was forecast."""
    batch = windows.batch(_pictured(prepared, windows))
    said = batch.original(by_network(network)(batch))
    shown = min(prepared.layout.context, 3 * prepared.layout.horizon, 400)
    past = batch.original(batch.past[-shown:, :, : len(prepared.layout.targets), None].numpy())[..., 0]
    tracks = prepared.tracks(part)
    pictures: list[list[dict[str, Any]]] = [[] for _ in prepared.layout.targets]
    for k, own in enumerate(pictures):
        for b, owner in enumerate(batch.owners):
            lines = {"past": past[:, b, k], "future": batch.came[:, b, k], "quantiles": said[:, b, k, :-1].T}
            seen = np.concatenate([lines["past"], lines["future"]])
            digits = 6 - int(np.floor(np.log10(np.ptp(seen) or np.abs(seen).max() or 1.0)))
            drawn: dict[str, Any] = {name: line.round(digits).tolist() for name, line in lines.items()}
            own.append(drawn | ({"series": tracks[owner].name} if prepared.layout.group else {}))
    return pictures


def _pictured(prepared: PreparedTracks, windows: TrackWindows) -> Integers:
    """Windows from all over a part; of several series one each, from series of all sizes."""
    if not prepared.layout.group:
        return spread(len(windows), PICTURED)
    there = np.unique(windows.owners)
    by_size = there[np.argsort(windows.scales.deviation[there, 0], kind="stable")]
    chosen = by_size[spread(len(there), PICTURED)]
    return np.array([np.flatnonzero(windows.owners == owner)[-1] for owner in chosen])
