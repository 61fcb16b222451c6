"""Forecasting: what a few measured values will be, with quantiles. Many-to-many over real values."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from torch import nn

from elman import cells, layers
from elman.baselines import forecasts as naive
from elman.cells import title
from elman.data import standard_input, tables, timeline
from elman.data.buckets import Buckets
from elman.data.tables import Source, Table
from elman.data.timeline import Track
from elman.data.windows import TrackWindows, WindowBatch, side_by_side
from elman.errors import DataError, ElmanError, UsageError
from elman.modalities.forecast import LEVELS, SCALES, Forecast, Named
from elman.tasks.base import Files, Material, Score, Task
from elman.tasks.forecast_errors import (
    WINDOWS,
    Errors,
    Floats,
    Yardsticks,
    by_network,
    by_points,
    measure,
)
from elman.tasks.forecast_pictures import showcase
from elman.tasks.together import attempt, parted
from elman.tasks.tracks import PARTS, Layout, PreparedTracks, divide, sized
from elman.topologies.forecaster import SegmentForecaster
from elman.training.cost import Cost
from elman.training.options import TrainingOptions, option

BATCH, VALIDATED = 64, 1024
"""Windows of a batch, and of the validation part, from all over it, that a validation forecasts."""
MOST_RIDGES = 500
"""Columns that have a ridge regression each; 1 MB and 20 ms for each."""
STEP = "step"
"""The column of a forecast that numbers its time steps, where there are no times."""
GROUPED = "window"
"""The usual scale of several series; docs/log.md has what it was chosen from."""


@dataclass(frozen=True, kw_only=True)
class ForecastingOptions(TrainingOptions):
    """The defaults are the best found for a few minutes on two cores; docs/log.md has the search."""

    budget: ClassVar[dict[str, float]] = {"epochs": 5.0}
    usual: ClassVar[dict[str, dict[str, float]]] = {"adamw": {"rate": 0.002, "weight_decay": 0.0}}

    target: list[str] | None = option(None, "column to forecast (default: all that hold numbers)")
    covariates: list[str] | None = option(None, "column that is read, and not forecast")
    time: str | None = option(None, "column of times (default: found by its name; without one, rows are in order)")
    group: str | None = option(None, "column that tells several series apart")
    horizon: int = option(24, "time steps to forecast", minimum=1)
    context: int | None = option(None, "time steps to read (default: 720, fewer where there are few)", minimum=1)
    segment: int | None = option(None, "time steps that are read, or said, at once (default: 24)", minimum=1)
    scale: str | None = option(
        None,
        "what values are scaled by: the column's mean and deviation, each series', or each window's "
        "(default: column; with --group, window)",
        choices=SCALES,
    )
    season: int | None = option(None, "time steps of a season, for comparison (default: found)", minimum=1)
    split: str = option(
        "0.7,0.1,0.2", "shares, or numbers of rows, for training, validation and test, in this order", anew=True
    )
    batch: int | None = option(
        None, f"windows in a batch (default: {BATCH}, fewer of very many columns)", minimum=1, anew=True
    )
    cell: str = option("gru", "recurrent cell: one that `elman cells` lists, or your own as module:Class")
    hidden: int = option(128, "hidden units", minimum=2)
    dropout: float = option(0.5, "dropout before the output", minimum=0, maximum=0.99, anew=True)
    average: float = option(
        0.99, "decay of the weights' running average, which is kept (0: none)", minimum=0, maximum=1
    )

    def check(self) -> None:
        """The cell must exist."""
        cells.find(self.cell)


class Forecasting(Task):
    """Quantiles and mean of y_{t+1} ... y_{t+horizon}, given the last values of all columns."""

    name = "forecasting"
    topology = "many-to-many"
    metric = "MSE, MAE, MASE, pinball loss"
    baseline_name = "the last value, the last season, ridge regression on the window"
    data = f"a table ({tables.ENDINGS}) with a row per time step"
    held_out = "by --split, in time"
    Options = ForecastingOptions

    def prepare(
        self, files: Files, options: ForecastingOptions, folder: Path, known: PreparedTracks | None = None
    ) -> PreparedTracks:
        """Read and check the tables, split them in time, and measure the scales on the training part."""
        table = tables.read(files.train)
        given = files.held_out
        parts = [p for p in PARTS if p not in given and not (p == "test" and "valid" in given)]
        if known is None:
            layout, notes, whole = _layout(table, options, parts)
        else:
            layout, notes, whole = known.layout, (), known.layout.read(table)
        cut = divide(whole, options.split, parts, layout.context)
        layout.check("train", cut["train"], files.train)
        learnt = [(track.name, track.values) for track in cut["train"]]
        if known is None:
            scale = options.scale or ("column" if options.group is None else GROUPED)
            forecast = Forecast.fit(layout.targets, layout.covariates, learnt, scale)
            layout = replace(layout, season=options.season or _season(learnt, len(layout.targets)))
        else:
            forecast = known.forecast.with_series(learnt)
        prepared = PreparedTracks(layout, forecast, {}, {}, notes + layout.too_short(cut["train"]))
        for part, tracks in cut.items():
            prepared.add(part, tracks, files.train, folder)
        for part, file in given.items():
            prepared.add(part, prepared.layout.read(tables.read(file)), file, folder)
        return prepared

    def load(self, described: dict[str, Any], facts: dict[str, dict[str, Any]], folder: Path) -> PreparedTracks:
        """Return the scales; the parts are read when they are needed."""
        layout, forecast = Layout(**described["layout"]), Forecast.from_dict(described["forecast"])
        return PreparedTracks(layout, forecast, facts, {part: folder / f"{part}.parquet" for part in facts})

    def fingerprint(self, file: Source, fact: dict[str, Any]) -> str:
        """The table's own."""
        del fact
        return tables.fingerprint(file)

    def describe(self, options: ForecastingOptions) -> dict[str, Any]:
        """Say cell and sizes."""
        return {"summary": f"{title(options.cell)} of {options.hidden} hidden units over segments of the past"}

    def network(self, prepared: PreparedTracks, options: ForecastingOptions) -> SegmentForecaster:
        """A recurrence over segments, and a head that says a segment at once."""
        layout, size = prepared.layout, options.hidden
        recurrence = layers.build(options.cell, size, size)
        sizes = len(layout.targets), len(layout.covariates), layout.segment, layout.horizon
        return SegmentForecaster(recurrence, prepared.forecast.head(size, layout.segment), sizes, options.dropout)

    def material(self, prepared: PreparedTracks, options: ForecastingOptions) -> Material:
        """Full back-propagation through time over shuffled windows."""
        size = options.batch or side_by_side(BATCH, len(prepared.layout.targets))
        windows = prepared.windows("train")
        return Material(
            Buckets(windows.batch, np.ones(len(windows), np.int64), size, options.seed),
            lambda network, batch, _: _objective(network, batch),  # nothing is carried on
            partial(_validate, windows=prepared.windows("valid")),
        )

    def score(self, network: SegmentForecaster, prepared: PreparedTracks, part: str) -> Score:
        """Forecast every window of the part."""
        return measure(_errors(prepared, part), prepared.windows(part), by_network(network)).score()

    def baselines(self, prepared: PreparedTracks, part: str) -> list[Score]:
        """The last value, the last season, and ridge regression."""
        layout, windows = prepared.layout, prepared.windows(part)
        targets = len(layout.targets)
        contenders = {
            "last value": lambda past, _: naive.persistence(past, layout.horizon),
            f"last season of {layout.season}": lambda past, _: naive.seasonal(past, layout.horizon, layout.season),
        }
        left_out: list[Score] = []
        if targets > MOST_RIDGES:
            why = f"ridge regression: left out, as there are more than {MOST_RIDGES:,} columns"
            left_out.append({"name": "ridge regression", "note": why})
        else:
            ridges = _ridges(prepared)
            contenders[f"ridge regression on {ridges[0].context} steps"] = lambda past, k: ridges[k].predict(past)
        return [
            {"name": name, **measure(_errors(prepared, part), windows, by_points(one, targets)).score()}
            for name, one in contenders.items()
        ] + left_out

    def extend(self, prepared: PreparedTracks, part: str, file: Source, folder: Path) -> PreparedTracks:
        """Read a further table, of which windows lie wholly within it."""
        more = PreparedTracks(prepared.layout, prepared.forecast, dict(prepared.facts), prepared.places)
        more.fitted.update(prepared.fitted)
        more.add(part, prepared.layout.read(tables.read(file)), file, folder)
        return more

    def rows(self, prepared: PreparedTracks, data: Path | None) -> Table:
        """Read a table, or JSON lines on standard input."""
        return standard_input.read(prepared.layout.targets[0]) if data is None else tables.read(data)

    def predict(
        self, network: SegmentForecaster, prepared: PreparedTracks, rows: Table | list[Any]
    ) -> list[dict[str, Any]]:
        """Return for every series the time steps that follow its last row: mean and quantiles of every target."""
        return [*chain.from_iterable(_said(network, prepared, _asked(prepared, rows)))]

    def predict_in_blocks(
        self,
        network: SegmentForecaster,
        prepared: PreparedTracks,
        rows: Table,
        onerror: Callable[[DataError], None] | None,
    ) -> Iterator[list[dict[str, Any]]]:
        """Forecast some series after the other, once all are read."""
        del onerror
        yield from _said(network, prepared, _asked(prepared, rows))

    def predict_each(
        self, network: SegmentForecaster, prepared: PreparedTracks, requests: Sequence[list[Any]]
    ) -> list[Any]:
        """Forecast the series of several callers as one batch."""
        asked = [attempt(_asked, prepared, rows) for rows in requests]
        good = [tracks for tracks in asked if not isinstance(tracks, ElmanError)]
        counts = [prepared.layout.horizon * len(tracks) for tracks in good]
        rows = iter(parted([*chain.from_iterable(_said(network, prepared, [*chain(*good)]))], counts))
        return [tracks if isinstance(tracks, ElmanError) else next(rows) for tracks in asked]

    def batch_rows(self, prepared: PreparedTracks, rows: list[Any]) -> int:
        """As many as series of one context may be in them: a row is a time step."""
        return max(1, len(rows) // prepared.layout.context)

    def showcase(self, network: Any, prepared: PreparedTracks, options: ForecastingOptions) -> dict[str, Any]:
        """Return the figures of every target and series, and windows of the last part with what was forecast."""
        del options
        return {"forecasts": showcase(network, prepared, _errors)}


def _layout(
    table: Table, options: ForecastingOptions, parts: Sequence[str]
) -> tuple[Layout, tuple[str, ...], list[Track]]:
    """Which column is what, and how long windows are, season left out; what was found out about that; the series."""
    columns, notes = _columns(table, options)
    whole = timeline.tracks(table, [*columns["targets"], *columns["covariates"]], columns["time"], options.group)
    longest = max(len(track) for track in divide(whole, options.split, parts, 0)["train"])
    if options.season is not None and options.season >= longest:
        there = f"{options.season} time steps to learn from, and there are {longest}"
        raise UsageError(f"--season {options.season} needs more than {there}; give a shorter one, or leave it out")
    context, segment = sized(longest, options.context, options.segment, options.horizon)
    layout = Layout(**columns, group=options.group, context=context, segment=segment, horizon=options.horizon, season=1)
    return layout, notes, whole


def _columns(table: Table, options: ForecastingOptions) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Which columns are forecast, which are read too, and where the time stands; and what was found out about that."""
    time = options.time or next((name for name in table.names if name.lower() in timeline.TIMES), None)
    covariates = options.covariates or []
    for name in filter(None, (*(options.target or ()), *covariates, time, options.group)):
        table.column(name)
    targets = options.target or [
        name for name in timeline.numeric(table) if name not in {time, options.group, *covariates}
    ]
    if twice := next((name for name in targets if name in {*covariates, time, options.group}), None):
        raise UsageError(f"the column {twice!r} is named as target and as something else; name each column once")
    if not targets:
        first = ", ".join(f"{c.name} ({c.values[0]!r}, ...)" for c in table.columns())
        raise DataError(f"{table.source} has no column of numbers to forecast; it has {first}")
    if twice := _twice(time, options.group, targets):
        raise UsageError(f"a forecast of {table.source} would have two columns named {twice!r}; rename the table's")
    notes = []
    if not options.target:
        notes.append(f"Forecasting {', '.join(map(repr, targets))}: all columns of numbers; --target says otherwise.")
    if time and not options.time:
        notes.append(f"Times are in {time!r}; --time says otherwise.")
    return {"targets": targets, "covariates": covariates, "time": time}, tuple(notes)


def _objective(network: Any, batch: WindowBatch) -> Cost:
    """The mean loss of a batch of windows."""
    device = next(network.parameters()).device
    loss = network.head.loss(network(batch.past.to(device)), batch.taught.to(device))
    windows = batch.past.shape[1]
    return Cost((loss,), (windows,), windows)


def _validate(network: nn.Module, *, windows: TrackWindows) -> float:
    """The mean loss of windows from all over a part."""
    stride = max(1, len(windows) // VALIDATED)
    total = 0.0
    for numbers in windows.batches(256, stride):
        cost = _objective(network, windows.batch(numbers))
        total += cost.loss.item() * cost.seen
    return total / len(range(0, len(windows), stride))


def _season(series: Sequence[Named], targets: int) -> int:
    """The season of the targets, to which every series adds alike, whatever its scale."""
    values = [own[:, :targets] for _, own in series if len(own)]
    alike = [(own - own.mean(0)) / np.where(own.std(0) > 0, own.std(0), 1.0) for own in values]
    return naive.season_of(np.concatenate(alike), min(max(map(len, values)) // 3, 366))


def _errors(prepared: PreparedTracks, part: str) -> Errors:
    layout = prepared.layout
    if "training" not in prepared.fitted:
        prepared.fitted["training"] = dict(prepared.series("train"))
    if part not in prepared.yardsticks:
        series, training = prepared.series(part), prepared.fitted["training"]
        prepared.yardsticks[part] = Yardsticks.of(series, training, len(layout.targets), layout.season)
    return Errors(prepared.yardsticks[part], grouped=layout.group is not None)


def _ridges(prepared: PreparedTracks) -> list[naive.Ridge]:
    """One for each target."""
    if "ridges" not in prepared.fitted:
        learnt, held = (_some(prepared.windows(part)) for part in ("train", "valid"))
        prepared.fitted["ridges"] = naive.ridges(learnt, held)
    found: list[naive.Ridge] = prepared.fitted["ridges"]
    return found


def _some(windows: TrackWindows) -> Iterator[tuple[Floats, Floats]]:
    """Past and future of the windows of a part, from all over it where they are very many."""
    for numbers in windows.batches(WINDOWS, max(1, len(windows) // naive.MOST)):
        batch = windows.batch(numbers)
        yield batch.past.numpy(), batch.taught.numpy()


def _asked(prepared: PreparedTracks, rows: Table | list[Any]) -> list[Track]:
    """The series to forecast; DataError where that cannot be."""
    layout = prepared.layout
    table = rows if isinstance(rows, Table) else tables.from_rows(rows)
    if layout.time not in table.names and (twice := _twice(None, layout.group, layout.targets)):
        named = f"steps are numbered in {twice!r} where there are no times, and it has a column of that name"
        raise DataError(f"{table.source} has no column {layout.time!r}, and {named}; give the times")
    found = layout.read(table)
    for track in found:
        needed = max(layout.context, 1 if track.times is None else 2)  # two times tell how far apart steps are
        if len(track) < needed:
            of = f"series {track.name!r} of " if track.name else ""
            what = f"{len(track)} time steps, fewer than the context {needed}"
            raise DataError(f"{of}{table.source} has {what}; give more" + ", or leave it out" * bool(track.name))
    prepared.forecast.scales(_ends(layout, found))
    return found


def _ends(layout: Layout, tracks: Sequence[Track]) -> list[Named]:
    """What is read of each series to forecast what follows it."""
    return [(track.name, track.values[-layout.context :]) for track in tracks]


def _said(
    network: SegmentForecaster, prepared: PreparedTracks, asked: Sequence[Track]
) -> Iterator[list[dict[str, Any]]]:
    """The rows that follow each series, those of some series at once."""
    size = side_by_side(WINDOWS, len(prepared.layout.targets))
    for first in range(0, len(asked), size):
        some = asked[first : first + size]
        windows = prepared.cut(_ends(prepared.layout, some), 0)
        batch = windows.batch(np.arange(len(some)))
        said = batch.original(by_network(network)(batch))
        yield [row for k, track in enumerate(some) for row in _spoken(prepared.layout, track, said[:, k])]


def _spoken(layout: Layout, track: Track, forecast: Any) -> list[dict[str, Any]]:
    """The rows that follow a series, columns by name."""
    rows = []
    for when, step in zip(track.after(layout.horizon), forecast, strict=True):
        row: dict[str, Any] = {layout.group: track.name} if layout.group else {}
        row |= {STEP: when} if track.times is None else {str(layout.time): str(when)}
        for name, values in zip(layout.targets, step, strict=True):
            row |= dict(zip(_said_of(name), map(float, (values[-1], *values)), strict=False))
        rows.append(row)
    return rows


def _twice(time: str | None, group: str | None, targets: Sequence[str]) -> str | None:
    """The name that two columns of a forecast would have, None where each has its own."""
    said = [*filter(None, (group, time or STEP)), *chain.from_iterable(map(_said_of, targets))]
    return next((name for name, count in Counter(said).items() if count > 1), None)


def _said_of(target: str) -> list[str]:
    """What the columns are called that a forecast has of a target: its mean, and its quantiles."""
    return [target, *(f"{target}_q{round(100 * level)}" for level in LEVELS)]
