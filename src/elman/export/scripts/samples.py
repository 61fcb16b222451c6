"""What an example makes of a recording: samples at the rate of the run."""

from math import gcd
from typing import Any

import numpy as np


def encode(read: dict[str, Any], path: str) -> dict[str, Any]:
    """Return the inputs for one recording."""
    found = samples(read, path)[None]
    return {"samples": found, "lengths": np.array([found.shape[1]], np.int64)}


def samples(read: dict[str, Any], path: str) -> Any:
    """Return the samples (N,) of a recording, its channels mixed down, at the rate that the model hears."""
    rate, found = sound(path)
    if rate == read["rate"]:
        return found
    from scipy.signal import resample_poly  # pip install scipy

    common = gcd(read["rate"], rate)
    return resample_poly(found, read["rate"] // common, rate // common).astype(np.float32)


def sound(path: str) -> tuple[int, Any]:
    """Return samples a second, and the samples (N,): of a WAV file, or with soundfile of whatever that reads."""
    try:
        import soundfile
    except ImportError:
        import wave

        with wave.open(path) as file:
            rate, channels, width = file.getframerate(), file.getnchannels(), file.getsampwidth()
            given = np.frombuffer(file.readframes(file.getnframes()), np.uint8).reshape(-1, width)
        padded = np.zeros((len(given), 4), np.uint8)  # the upper bytes of 32 bits
        padded[:, 4 - width :] = given
        padded[:, 3] ^= 128 if width == 1 else 0  # eight bits count from 0 on
        values = padded.view("<i4") / 2.0**31
        return rate, values.astype(np.float32).reshape(-1, channels).mean(1)
    with soundfile.SoundFile(path) as file:
        return file.samplerate, file.read(dtype="float32", always_2d=True).mean(1)
