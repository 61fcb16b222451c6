"""Series that a task has read: split in time, cut into windows, kept in a folder.

Every part but the first begins with rows of the part before it, which are read and never forecast: so each window's
future lies within one part. It does not know what forecasts are worth.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from elman import assets
from elman.data import tables, timeline
from elman.data.ragged import row_of
from elman.data.tables import Source, Table
from elman.data.timeline import Track
from elman.data.windows import TrackWindows
from elman.errors import DataError, UsageError
from elman.modalities.forecast import Forecast, Named
from elman.names import first_few
from elman.tasks.base import Prepared

SERIES, ROW, TIME = "series", "row", "time"
PARTS = ("train", "valid", "test")
LONGEST, SEGMENT = 720, 24


@dataclass(frozen=True)
class Layout:
    """Which column is what, and how long windows are."""

    targets: list[str]
    covariates: list[str]
    time: str | None
    group: str | None
    context: int
    segment: int
    horizon: int
    season: int

    def read(self, table: Table) -> list[Track]:
        """Return the table's series; where it has no column of times, its rows are in order."""
        time = self.time if self.time in table.names else None
        return timeline.tracks(table, [*self.targets, *self.covariates], time, self.group)

    def check(self, part: str, tracks: Sequence[Track], file: Source) -> None:
        """Raise DataError where no series of a part has a window."""
        if max(map(len, tracks)) < self.context + self.horizon:
            rows, history = max(len(track) - track.before for track in tracks), max(track.before for track in tracks)
            raise DataError(_too_short(part, file, rows, history, self))

    def too_short(self, tracks: Sequence[Track]) -> tuple[str, ...]:
        """Say which of several series have no window to learn from, where there are any."""
        short = [track.name for track in tracks if len(track) < self.context + self.horizon]
        if not short:
            return ()
        least = (
            f"fewer than {self.context + self.horizon} time steps to learn from, and are left out: {first_few(short)}"
        )
        return (f"{len(short)} of {len(tracks)} series have {least}; a smaller --context takes more of them.",)


class PreparedTracks(Prepared):
    """Series in parts.

    Attributes:
        fitted: what baselines have learnt, by name.
        yardsticks: by part, what errors are told in.
    """

    noun = "windows"

    def __init__(
        self,
        layout: Layout,
        forecast: Forecast,
        facts: dict[str, dict[str, Any]],
        places: Mapping[str, Path],
        notes: tuple[str, ...] = (),
    ) -> None:
        self.layout, self.forecast, self.facts = layout, forecast, facts
        self.places, self.notes = dict(places), notes
        self.fitted: dict[str, Any] = {}
        self.yardsticks: dict[str, Any] = {}
        self._tracks: dict[str, list[Track]] = {}
        self._windows: dict[str, TrackWindows] = {}

    @property
    def columns(self) -> dict[str, list[str]]:
        """The series with their times, and what is forecast."""
        beside = [name for name in (self.layout.time, self.layout.group) if name]
        return {"read": [*beside, *self.layout.targets, *self.layout.covariates], "answered": self.layout.targets}

    def add(self, part: str, tracks: Sequence[Track], file: Source, folder: Path) -> None:
        """Check a part, and keep it in `folder`."""
        self.layout.check(part, tracks, file)
        self._tracks[part] = list(tracks)
        self._windows.pop(part, None)
        self.yardsticks.pop(part, None)
        windows = len(self.windows(part))
        own = [len(track) - track.before for track in tracks]
        self.places[part] = tables.write(folder / f"{part}.parquet", self._frame(part))
        facts = {"path": assets.name(file), "sha256": tables.fingerprint(file), "rows": sum(own), "windows": windows}
        first = next(track.rows[track.before] for track, rows in zip(tracks, own, strict=True) if rows)
        self.facts[part] = facts | {"series": len(tracks), "first_row": int(first)}

    def tracks(self, part: str) -> list[Track]:
        """Return the series of a part; RunError where they are gone from the folder."""
        if part not in self._tracks:
            frame = tables.kept(self.places[part])
            self._tracks[part] = [self._track(own) for own in frame.partition_by(SERIES, maintain_order=True)]
        return self._tracks[part]

    def series(self, part: str) -> list[Named]:
        """Return names and values of the series of a part."""
        return [(track.name, track.values) for track in self.tracks(part)]

    def windows(self, part: str) -> TrackWindows:
        """Return all windows of a part."""
        if part not in self._windows:
            self._windows[part] = self.cut(self.series(part), self.layout.horizon)
        return self._windows[part]

    def cut(self, series: Sequence[Named], horizon: int) -> TrackWindows:
        """Return all windows of some series, scaled."""
        values, scales = [own for _, own in series], self.forecast.scales(series)
        return TrackWindows(values, scales, self.layout.context, horizon, len(self.layout.targets))

    def to_dict(self) -> dict[str, Any]:
        """Describe the columns and their scales."""
        return {"layout": self.layout.__dict__, "forecast": self.forecast.to_dict()}

    def _frame(self, part: str) -> pl.DataFrame:
        names = [*self.layout.targets, *self.layout.covariates]
        tracks = self._tracks[part]
        rows, values = (np.concatenate(each) for each in zip(*((t.rows, t.values) for t in tracks), strict=True))
        owners = row_of([len(track) for track in tracks])
        columns = {ROW: pl.Series(rows), SERIES: pl.Series([track.name for track in tracks]).gather(pl.Series(owners))}
        times = [track.times for track in tracks if track.times is not None]
        columns |= {TIME: pl.concat(times)} if times else {}
        numbers = pl.DataFrame(values, schema=[f"value {name}" for name in names])
        return pl.DataFrame(columns).hstack(numbers)

    def _track(self, frame: pl.DataFrame) -> Track:
        names = [f"value {name}" for name in (*self.layout.targets, *self.layout.covariates)]
        times = frame[TIME] if TIME in frame.columns else None
        values = np.ascontiguousarray(frame.select(names).to_numpy())  # summed in the order in which training summed it
        return Track(frame[SERIES][0], values, frame[ROW].to_numpy(), times)


def divide(tracks: Sequence[Track], split: str, parts: Sequence[str], context: int) -> dict[str, list[Track]]:
    """Cut every series into parts, one after the other in time; all but the first begin `context` rows early.

    Args:
        tracks: the series.
        split: three shares of each series, or three numbers of rows, with commas between.
        parts: which of train, valid and test are made; shares are of these.
        context: rows of the part before.
    """
    sizes = _sizes(split)[: len(parts)]
    shares = sum(sizes) < len(parts) + 1
    made: dict[str, list[Track]] = {part: [] for part in parts}
    for track in tracks:
        counts = [round(len(track) * size / sum(sizes)) for size in sizes] if shares else [int(size) for size in sizes]
        ends = np.minimum(np.cumsum(counts), len(track))
        if shares:
            ends[-1] = len(track)
        for part, begin, end in zip(parts, [0, *ends[:-1]], ends, strict=True):
            start = max(0, int(begin) - (context if part != "train" else 0))
            made[part].append(replace(track.cut(start, int(end)), before=int(begin) - start))
    return made


def sized(rows: int, context: int | None, segment: int | None, horizon: int) -> tuple[int, int]:
    """Return context and segment for a longest training series of `rows` steps; context a multiple of segment."""
    room = max(1, (rows - horizon) // 2)
    wanted = min(LONGEST, room) if context is None else context
    chosen = max(1, min(SEGMENT, wanted // 4)) if segment is None else segment
    if chosen > wanted:
        raise UsageError(f"--segment {chosen} exceeds the context of {wanted} time steps; give at most that")
    return wanted // chosen * chosen, chosen


def _sizes(split: str) -> list[float]:
    try:
        sizes = [float(size) for size in split.split(",")]
    except ValueError:
        sizes = []
    whole = all(size >= 1 and size.is_integer() for size in sizes)
    if len(sizes) != len(PARTS) or min(sizes) <= 0 or not (whole or sum(sizes) <= 1 + 1e-9):
        raise UsageError(
            f"--split {split!r} is no split; give three shares such as 0.7,0.1,0.2 or three numbers of rows"
        )
    return sizes


def _too_short(part: str, file: Source, rows: int, history: int, layout: Layout) -> str:
    """The sentence on a part without a single window."""
    needed = layout.horizon if history else layout.context + layout.horizon
    what = f"the horizon {layout.horizon}" if history else f"context {layout.context} and horizon {layout.horizon}"
    said = f"{file} has {rows} time steps in its longest series, too few for {what}, which need {needed}"
    if part == "given":  # to a network that is trained
        return f"{said}; give more rows"
    other = ", or another --split" if history else " or --context"
    return f"the {part} part of {said}; give more rows, or a smaller --horizon{other}"
