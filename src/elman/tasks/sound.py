"""What tasks share that read recordings: how these are heard, as options."""

from dataclasses import dataclass

from elman.data.tables import Column
from elman.modalities.recordings import Recordings
from elman.training.options import TrainingOptions, option


@dataclass(frozen=True, kw_only=True)
class SoundOptions(TrainingOptions):
    """How recordings are heard. The defaults are the best found for a few minutes on two cores; see docs/log.md."""

    seconds: float = option(60.0, "the most seconds that a recording may last", minimum=0.01)
    sample_rate: int | None = option(
        None,
        "samples a second that recordings are brought to (default: what most have, at most 16000)",
        minimum=1000,
        maximum=192_000,
    )
    bands: int = option(40, "bands of pitch that are heard apart in a recording", minimum=4, maximum=256)
    stride: int = option(2, "frames of 10 ms of a recording that become one time step", minimum=1, maximum=100)
    masks: int = option(
        0, "masks in time, and in pitch, over a recording in training; for longer budgets", minimum=0, maximum=100
    )


def recordings(column: Column, options: SoundOptions) -> Recordings:
    """Fit recordings to the rows to learn from."""
    o = options
    return Recordings.fit(column, rate=o.sample_rate, bands=o.bands, stride=o.stride, longest=o.seconds, masks=o.masks)
