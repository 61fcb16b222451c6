"""What is heard in a sound, and when: the logarithm of its energy in bands of equal width to the ear, frame by frame.

It knows samples, and nothing of files.
"""

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

WINDOW, HOP = 0.025, 0.010
"""Seconds that a frame looks at, and from one frame to the next."""
FLOOR = 1e-10
"""The energy, as a share of that of the loudest noise, below which all is silence."""


class Filterbank:
    """y_t(b) = ln max(floor, sum_k M_b(k) |X_t(k)|^2), X_t(k) = sum_n w(n) x(t H + n) e^(-2 pi i k n / N).

    w is Hann's window of 25 ms with sum w^2 = 1, H is 10 ms; the C triangles M_b(k) begin, peak and end at C + 2
    frequencies of equal distance in mel(f) = 2595 lg(1 + f / 700). Sources: Davis & Mermelstein 1980, Comparison of
    parametric representations for monosyllabic word recognition; the formula of the scale is O'Shaughnessy's, 1987.

    Attributes:
        window, hop, size: samples of w, H, and N.
        weights: w, (window,).
        triangles: M, (N / 2 + 1, C).

    Args:
        rate: samples a second.
        bands: C.
    """

    def __init__(self, rate: int, bands: int) -> None:
        self.rate, self.bands = rate, bands
        self.window, self.hop = round(WINDOW * rate), round(HOP * rate)
        self.size = 2 ** math.ceil(math.log2(2 * self.window))  # fine enough for a triangle to hold a frequency or more
        window = torch.hann_window(self.window)
        self.weights = window / window.square().sum().sqrt()
        self.triangles = torch.from_numpy(triangles(rate, self.size, bands))

    def frames(self, samples: int) -> int:
        """How many frames so many samples have: those that fit into them, and one at least."""
        return 1 + max(0, samples - self.window) // self.hop

    def __call__(self, samples: Tensor) -> Tensor:
        """Return the frames (T, C) of samples (N,); fewer samples than a window are followed by silence."""
        # torch lays the window in the middle of N samples; what is added beside it leaves the energies as they are.
        before = (self.size - self.window) // 2
        after = self.size - self.window - before + max(0, self.window - len(samples))
        padded = nn.functional.pad(samples, (before, after))
        spectrum = torch.stft(padded, self.size, self.hop, self.window, self.weights, center=False, return_complex=True)
        return (spectrum.abs().square().t() @ self.triangles).clamp_min(FLOOR).log()


def triangles(rate: int, size: int, bands: int) -> npt.NDArray[np.float32]:
    """The weights (size / 2 + 1, C) of each frequency of a transform in each band, linear in mel."""
    frequencies = mel(np.linspace(0, rate / 2, size // 2 + 1))
    edges = np.linspace(0, frequencies[-1], bands + 2)
    width = edges[1]
    found: npt.NDArray[np.float32] = np.maximum(0, 1 - np.abs(frequencies[:, None] - edges[1:-1]) / width)
    return found.astype(np.float32)


def mel(frequency: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The pitch that is heard, for frequencies in Hz."""
    found: npt.NDArray[np.float64] = 2595 * np.log10(1 + frequency / 700)
    return found
