"""Recordings as a model's input: samples, of which it makes the frames that the run hears by itself."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from elman.data.ragged import Integers
from elman.data.tables import Column
from elman.errors import DataError, RunError
from elman.export.base import BATCH, INDEX, Model, Port, Runner, Trial, difference
from elman.export.feeds.base import Fed, Feed, live, still_there
from elman.modalities.filterbank import FLOOR, Filterbank
from elman.modalities.recording_reader import RecordingBatch, RecordingReader
from elman.modalities.recordings import STEP, Recordings
from elman.tasks.prepared import PreparedExamples
from elman.training.examples import Batch, Examples

SAMPLES, FRAMES = "samples", "frames"
"""Axes."""
STEPS = 3
"""Time steps of an example."""


@dataclass(frozen=True)
class SampleBatch:
    """B recordings side by side: samples (B, N), zeros beyond a row's end, and how many each has (B,)."""

    samples: Tensor
    counts: Tensor


@dataclass(frozen=True)
class EncodedSamples:
    """Recordings that are read from their files when they are asked for; `lengths` are time steps."""

    recordings: Recordings
    column: Column
    lengths: Integers

    def batch(self, rows: Integers) -> SampleBatch:
        """Some recordings side by side; RunError where a file cannot be read any more."""
        try:
            found = [torch.from_numpy(samples) for samples in self.recordings.samples(self.column.take(rows))]
        except DataError as error:
            raise RunError(f"an export is checked on held-out recordings, but {error}") from error
        counts = torch.tensor([len(samples) for samples in found])
        return SampleBatch(nn.utils.rnn.pad_sequence(found, batch_first=True), counts)


class Spectrum(nn.Module):
    """`Filterbank` as two convolutions: over time by the Fourier transform's basis in the window, then over pitch."""

    def __init__(self, bank: Filterbank) -> None:
        super().__init__()
        time, pitch = torch.arange(bank.window).double(), torch.arange(bank.size // 2 + 1).double()
        angles = 2 * torch.pi / bank.size * pitch.unsqueeze(1) * time
        basis = torch.cat([angles.cos(), -angles.sin()]) * bank.weights
        self.hop, self.window = bank.hop, bank.window
        self.register_buffer("basis", basis.float().unsqueeze(1))
        self.register_buffer("triangles", bank.triangles.t().unsqueeze(2).contiguous())
        self.basis: Tensor
        self.triangles: Tensor

    def forward(self, samples: Tensor) -> Tensor:
        """Return (B, T, C) for samples (B, N), all frames that begin within them."""
        padded = nn.functional.pad(samples, (0, self.window - 1)).unsqueeze(1)
        real, imaginary = nn.functional.conv1d(padded, self.basis, stride=self.hop).square().chunk(2, 1)
        energies = nn.functional.conv1d(real + imaginary, self.triangles)
        return energies.clamp_min(FLOOR).log().transpose(1, 2).contiguous()


class Hearing(nn.Module):
    """Samples (B, N) and how many of them each row has to z-scores (B, T, C), zeros beyond a row's end, and lengths."""

    def __init__(self, recordings: Recordings) -> None:
        super().__init__()
        self.spectrum = Spectrum(recordings.filterbank)
        self.register_buffer("mean", recordings.mean)
        self.register_buffer("deviation", recordings.deviation)

    def forward(self, samples: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        """As `Recordings.frames`, before they are rounded."""
        heard = torch.where(live(samples.shape[1], counts), samples, 0.0)
        scores = (self.spectrum(heard) - self.mean) / self.deviation
        behind = (counts - self.spectrum.window).clamp_min(0)
        lengths = 1 + torch.div(behind, self.spectrum.hop, rounding_mode="floor")
        return torch.where(live(scores.shape[1], lengths).unsqueeze(-1), scores, 0.0), lengths


class RecordingFeed(Feed):
    """Samples (B, N)."""

    modality = Recordings
    script = "listen"
    time = "steps"

    def __init__(self, read: Recordings, reader: RecordingReader) -> None:
        super().__init__(read, reader)
        self.hearing = Hearing(read)

    @property
    def ports(self) -> tuple[Port, ...]:
        """Samples and lengths."""
        layout, bank = self.read.layout, self.read.filterbank
        enough = {SAMPLES: bank.window + STEPS * layout.stride * bank.hop}
        meaning = f"one channel between -1 and 1, {layout.rate} a second"
        behind = "samples of each row, from 1 on; what lies behind them is not heard"
        samples = Port("samples", (BATCH, SAMPLES), meaning, sizes=enough)
        return samples, Port("lengths", (BATCH,), behind, INDEX)

    @property
    def shown(self) -> tuple[Port, ...]:
        """Frames, and the time steps of each row."""
        return self._frames, Port(
            "steps", (BATCH,), f"time steps of each row, of {self.read.layout.stride} frames", INDEX
        )

    @property
    def _frames(self) -> Port:
        meaning = "what is heard every 10 ms: log-mel energies as z-scores, 0 behind a row's end"
        return Port("frames", (BATCH, FRAMES, self.read.layout.bands), meaning)

    def forward(self, *tensors: Tensor) -> Fed:
        """Hear, and round as the run does."""
        frames, lengths = self.hearing(*tensors)
        steps = torch.div(lengths + self.read.layout.stride - 1, self.read.layout.stride, rounding_mode="floor")
        return Fed(RecordingBatch(rounded(frames).transpose(0, 1), lengths), steps, (frames, steps))

    def examples(self, prepared: PreparedExamples, part: str) -> Examples:
        """Rows of samples: they are read anew, since the run keeps frames."""
        own, column = prepared.examples(part), prepared.column(part, prepared.input_name)
        return Examples(EncodedSamples(self.read, column, own.lengths), own.targets, own.stepwise)

    def tensors(self, batch: Batch) -> tuple[Tensor, ...]:
        """The samples and how many there are."""
        return batch.inputs.samples, batch.inputs.counts

    def own(self, batch: Batch, shown: list[Tensor]) -> tuple[Any, list[tuple[Tensor, Tensor]]]:
        """The frames as they were shown, rounded: so it does not matter to which side a score in the middle goes."""
        frames, steps = shown
        expected, counts = self.heard(batch.inputs)
        size = expected.shape[1]
        own = RecordingBatch(rounded(frames[:, :size]).transpose(0, 1), counts)
        return own, [(settled(frames[:, :size], expected), expected), (steps, batch.lengths)]

    def heard(self, batch: SampleBatch) -> tuple[Tensor, Tensor]:
        """What the run itself hears: z-scores (B, T, C), zeros beyond a row's end, and frames of each row."""
        rows = zip(batch.samples, batch.counts.tolist(), strict=True)
        found = [self.read.scores(samples[:count]) for samples, count in rows]
        return nn.utils.rnn.pad_sequence(found, batch_first=True), torch.tensor([len(scores) for scores in found])

    def beside(self) -> list[Model]:
        """What makes frames of samples: a step takes frames."""
        lengths = Port("count", (BATCH,), "frames of each row", INDEX)
        return [Model("frames", "hears frames", self.hearing, self.ports, (self._frames, lengths))]

    def trials(self, runners: Mapping[str, Runner], batch: Batch) -> Iterator[Trial]:
        """Set the frames beside the filter bank's."""
        frames, found = runners["frames"](*self.tensors(batch))
        expected, counts = self.heard(batch.inputs)
        same = settled(frames[:, : expected.shape[1]], expected)
        apart = difference(same, expected), difference(found, counts)
        yield Trial("frames", len(expected), expected.shape[1], max(apart))

    @property
    def step_ports(self) -> tuple[Port, ...]:
        """The frames that a step looks at."""
        stride, bands = self.read.layout.stride, self.read.layout.bands
        meaning = f"frames as `frames` makes them: {stride} before those of this step, {stride} of it, 1 behind it"
        return (Port("frames", (BATCH, 2 * stride + 1, bands), f"{meaning}; 0 where there are none"),)

    def step(self, *tensors: Tensor) -> Tensor:
        """Read frames (B, 2 stride + 1, C)."""
        (frames,) = tensors
        features: Tensor = self.reader.over(rounded(frames).transpose(0, 1))[0]
        return features

    def pieces(self, runners: Mapping[str, Runner], tensors: tuple[Tensor, ...]) -> Iterator[tuple[Tensor, ...]]:
        """Slide over the frames, with silence before the first and behind the last."""
        stride = self.read.layout.stride
        frames, counts = runners["frames"](*tensors)
        padded = nn.functional.pad(frames[:, : int(counts.max())], (0, 0, stride, stride))
        for first in range(0, padded.shape[1] - 2 * stride, stride):
            yield (padded[:, first : first + 2 * stride + 1],)

    def given(self, column: Column, value: Any) -> Any:
        """The file, if it is still there."""
        return still_there(column, value)


def settled(scores: Tensor, expected: Tensor) -> Tensor:
    """Z-scores that are less than a quarter of the run's own rounding apart from what is expected as what is expected.

    Beside loud bands, one without energy (as of a recording brought to a higher rate) is float32's rounding of these: a
    tenth of a step apart from one way of computing it to the next.
    """
    return torch.where((scores - expected).abs() < 1 / (4 * STEP), expected, scores)


def rounded(scores: Tensor) -> Tensor:
    """Z-scores as the run keeps them, in 8 bits."""
    return (scores * STEP).round().clamp(-127, 127) / STEP
