"""Recordings as a modality: a column of sound files, each read as a sequence of frames of log-mel energies.

Frames are z-scores by band, kept as multiples of a 24th of a deviation in 8 bits: an hour of sound takes 14 MB, the
rounding is a hundredth of a deviation. It does not know what is listened for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from torch import Tensor

from elman.data import mapped, sound
from elman.data.ragged import Integers, Ragged
from elman.data.sound import Header, Samples
from elman.data.tables import Column
from elman.errors import DataError
from elman.modalities.base import Input, Reader
from elman.modalities.filterbank import HOP, WINDOW, Filterbank
from elman.modalities.recording_reader import RecordingBatch, RecordingReader

STEP = 24
"""By how many a deviation is divided; so 127 of them are 5.3 deviations."""
Frames = npt.NDArray[np.int8]
"""(T, C)."""
FASTEST = 16_000
"""Samples a second that are enough for what is said."""
MEASURED = 2000
"""Recordings, from all over the training part, by which the scale is measured."""


class Layout(NamedTuple):
    """How recordings are turned into frames, and frames into time steps.

    Attributes:
        rate: samples a second that all recordings are brought to.
        bands: C.
        stride: frames that become one time step.
        longest: seconds that a recording may last.
        masks: how many masks in time, and in frequency, lie over a recording in training.
    """

    rate: int
    bands: int
    stride: int
    longest: float
    masks: int


@dataclass(frozen=True)
class EncodedRecordings:
    """Rows of frames (T, C) int8, in memory or mapped; `stride` frames are one time step of the network."""

    rows: Ragged
    stride: int

    @property
    def lengths(self) -> Integers:
        """Time steps of each row."""
        return -(-self.rows.lengths // self.stride)

    def batch(self, rows: Integers) -> RecordingBatch:
        """Some rows side by side."""
        lengths = torch.from_numpy(self.rows.lengths[rows])
        return RecordingBatch(torch.from_numpy(self.rows.padded(rows)).float() / STEP, lengths)


class Recordings(Input):
    """Sound files, named by their paths from the folder of the table, or from the root.

    Args:
        layout: how they become time steps.
        mean: of each band in training, (C,).
        deviation: likewise.
    """

    name = "recordings"
    files = True

    def __init__(self, layout: Layout, mean: npt.ArrayLike, deviation: npt.ArrayLike) -> None:
        self.layout = layout
        self.mean, self.deviation = (torch.tensor(values, dtype=torch.float32) for values in (mean, deviation))
        self.filterbank = Filterbank(layout.rate, layout.bands)

    @classmethod
    def fit(cls, column: Column, *, rate: int | None, bands: int, stride: int, longest: float, masks: int) -> Self:
        """Settle on a rate, and measure every band.

        Raises:
            DataError: names the first row whose file cannot be read, or lasts longer than `longest`.

        """
        rates = [header.rate for header in _headers(column, longest)]
        usual = max(set(rates), key=lambda rate: (rates.count(rate), rate))
        layout = Layout(rate or min(usual, FASTEST), bands, stride, longest, masks)
        bare = cls(layout, np.zeros(bands), np.ones(bands))
        count, total, squares = 0, torch.zeros(bands).double(), torch.zeros(bands).double()
        for samples in _heard(column.take(np.arange(0, len(column), -(-len(column) // MEASURED))), layout):
            found = bare.filterbank(torch.from_numpy(samples)).double()
            count, total, squares = count + len(found), total + found.sum(0), squares + found.square().sum(0)
        mean = total / count
        deviation = (squares / count - mean.square()).clamp_min(0).sqrt()
        return cls(layout, mean.numpy(), torch.where(deviation > 1e-3, deviation, 1.0).numpy())

    def seconds(self, steps: Integers) -> npt.NDArray[np.float64]:
        """Return where in a recording the middle of each of these time steps lies."""
        return steps.astype(np.float64) * (self.layout.stride * HOP) + WINDOW / 2

    def frames(self, samples: Tensor) -> Tensor:
        """Return the frames (T, C) of samples (N,) at the rate of the layout, as they are kept."""
        return (self.scores(samples) * STEP).round().clamp(-127, 127).to(torch.int8)

    def scores(self, samples: Tensor) -> Tensor:
        """Return the same as z-scores, before they are rounded."""
        return (self.filterbank(samples) - self.mean) / self.deviation

    def samples(self, column: Column) -> Iterator[Samples]:
        """Yield the samples (N,) of every recording; DataError names the first row whose file cannot be read."""
        return _heard(column, self.layout)

    def encode(self, column: Column) -> EncodedRecordings:
        """Hear every recording; DataError names the first row whose file cannot be read, or is too long."""
        rows = list(self._frames(column))
        flat = np.concatenate([np.empty((0, self.layout.bands), np.int8), *rows])
        return EncodedRecordings(Ragged.of(flat, np.array([len(row) for row in rows])), self.layout.stride)

    def keep(self, column: Column, place: Path) -> EncodedRecordings:
        """Hear every recording, and keep the frames beside the rows: the files may be gone one day."""
        rows = mapped.write(_beside(place), self._frames(column), (self.layout.bands,), np.int8)
        return EncodedRecordings(rows, self.layout.stride)

    def kept(self, column: Column, place: Path) -> EncodedRecordings:
        """Map the frames that were kept."""
        rows = mapped.read(_beside(place), len(column), (self.layout.bands,), np.int8)
        return EncodedRecordings(rows, self.layout.stride)

    def found_at(self, place: Path) -> list[str] | None:
        """Return the recordings that a file or a folder stands for."""
        if place.is_dir():
            found = sorted(str(path) for path in place.iterdir() if sound.is_named(path) and path.is_file())
            if not found:
                raise DataError(f"{place} holds no recordings; their names should end in {sound.ENDINGS}")
            return found
        return [str(place)] if sound.is_named(place) else None

    def reader(self, features: int) -> Reader:
        """Return a convolution over a few frames, one step for each `stride` of them."""
        return RecordingReader(self.layout.bands, features, self.layout.stride, self.layout.masks)

    def facts(self, encoded: EncodedRecordings) -> dict[str, int]:
        """Count what was heard."""
        count = len(encoded.rows.values)
        return {"seconds": round(count * HOP), "frames": count}

    def to_dict(self) -> dict[str, Any]:
        """Return the layout, mean and deviation."""
        measured = {"mean": self.mean.tolist(), "deviation": self.deviation.tolist()}
        return self.layout._asdict() | measured

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Self:
        """Take what `to_dict` returned."""
        return cls(Layout(*(value[name] for name in Layout._fields)), value["mean"], value["deviation"])

    def _frames(self, column: Column) -> Iterator[Frames]:
        """The frames of each row."""
        for samples in _heard(column, self.layout):
            yield self.frames(torch.from_numpy(samples)).numpy()


def _beside(place: Path) -> Path:
    """Where the frames of rows that are kept at `place` lie."""
    return place.with_suffix(".frames")


def _paths(column: Column) -> list[Path]:
    """The files of a column; DataError at the first row that names none."""
    if column.kind not in ("recordings", "text"):
        raise column.error(0, f"holds {column.kind}, not the names of recordings")
    column.check_filled()
    names = column.values.cast(pl.String).to_list()
    for index, name in enumerate(names):
        if not sound.is_named(name):
            raise column.error(index, f"is {name!r}, which does not end as recordings do: {sound.ENDINGS}")
    return [column.path(name) for name in names]


def _headers(column: Column, longest: float) -> Iterator[Header]:
    """What each file says of itself."""
    for index, path in enumerate(_paths(column)):
        try:
            found = sound.header(path)
        except DataError as error:
            raise _unheard(column, index, error) from error
        _check_short(column, index, found.seconds, longest)
        yield found


def _heard(column: Column, layout: Layout) -> Iterator[Samples]:
    """The samples of each file."""
    for (index, path), _ in zip(enumerate(_paths(column)), _headers(column, layout.longest), strict=True):
        try:
            samples = sound.read(path, layout.rate)
        except DataError as error:
            raise _unheard(column, index, error) from error
        yield samples


def _check_short(column: Column, index: int, seconds: float, longest: float) -> None:
    if seconds > longest:
        raise column.error(
            index,
            f"names {column.values[index]!r}, which lasts {seconds:,.1f} s, more than {longest:g}; cut it, or train "
            "a new network with a larger --seconds",
        )


def _unheard(column: Column, index: int, error: DataError) -> DataError:
    return column.error(index, f"names {column.values[index]!r}, {error}")
