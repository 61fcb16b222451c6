"""Recordings on disk: whatever libsndfile reads, as one channel of samples at the rate that is asked for.

It does not know what is heard in them, nor which row of a table they belong to.
"""

from dataclasses import dataclass
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from elman import files
from elman.data.tables import FILES
from elman.errors import DataError

Samples = npt.NDArray[np.float32]

SUFFIXES = FILES["recordings"]
ENDINGS = ", ".join(SUFFIXES)
INSTALL = "pip install 'elman[audio]'"


@dataclass(frozen=True)
class Header:
    """What a file says of itself: samples a second, and how many there are in each channel."""

    rate: int
    samples: int

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.samples / self.rate


def is_named(name: str | Path) -> bool:
    """Whether a file's name ends as those of recordings do."""
    return str(name).strip().lower().endswith(SUFFIXES)


def header(path: Path) -> Header:
    """Read what a file says of itself; DataError says, after the file's name, why it cannot be heard."""
    with _opened(path) as file:
        return Header(file.samplerate, file.frames)


def read(path: Path, rate: int) -> Samples:
    """Return the samples (N,) of a recording, its channels mixed down, at `rate` samples a second.

    Raises:
        DataError: says, after the file's name, why it cannot be heard.

    """
    with _opened(path) as file:
        try:
            found: Samples = file.read(dtype="float32", always_2d=True).mean(1)
        except _library().LibsndfileError as error:
            raise DataError(f"which is damaged ({_brief(error)})") from error
        own = file.samplerate
    if not len(found):
        raise DataError("which holds no sound")
    if not np.isfinite(found).all():
        raise DataError("which holds samples that are no finite numbers")
    return found if own == rate else _resampled(found, own, rate)


def _opened(path: Path) -> Any:
    library = _library()
    if path.is_dir():
        raise DataError("which is a folder")
    try:
        path.open("rb").close()  # libsndfile says of all that it cannot open: "System error"
        return library.SoundFile(path)
    except OSError as error:
        raise DataError(f"which cannot be read: {files.reason(error)}") from error
    except library.LibsndfileError as error:
        raise DataError(f"which is no recording that can be read ({_brief(error)})") from error


def _library() -> Any:
    try:
        import soundfile
    except ImportError as error:
        raise DataError(f"which needs soundfile to be read: {INSTALL}") from error
    return soundfile


def _brief(error: Exception) -> str:
    """What the library says of a file, without the file's name."""
    return str(getattr(error, "error_string", error)).strip().rstrip(".").lower()


def _resampled(samples: Samples, rate: int, wanted: int) -> Samples:
    """Bring samples from one rate to another, by a polyphase filter that keeps what both rates can hold."""
    try:
        from scipy.signal import resample_poly
    except ImportError as error:
        raise DataError(
            f"which has {rate:,} samples a second, and needs scipy to be brought to {wanted:,}: {INSTALL}"
        ) from error
    common = gcd(rate, wanted)
    found: Samples = resample_poly(samples, wanted // common, rate // common).astype(np.float32)
    return found
