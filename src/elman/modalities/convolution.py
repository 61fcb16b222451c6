"""Readers of images: convolutions whose columns or places are the time steps, and rows of pixels as they are.

What lies beyond an image's own width takes part in nothing: it is zero before every convolution, as the border is. They
do not know where the pixels came from.
"""

import itertools
from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from elman.modalities.base import Reader

LOW = 8
"""Layers halve an image's height until it is at most so high."""
CHANNELS = (16, 32, 64)
PIECE = 1 << 21
"""Pixels of a video's frames that convolutions see at a time, so that memory does not grow with its length. What they
make of a pixel on the way takes about 250 bytes in training; if there are more, it is computed anew where gradients
need it."""
Scale = tuple[list[float], list[float]]
"""Mean and deviation of each channel, (C,)."""


class Grid:
    """How many columns and rows of places convolutions make of an image.

    Args:
        height: of the image, in pixels.
        square: whether every layer halves the width too; otherwise only the first two do, so that columns stay narrow.
    """

    def __init__(self, height: int, *, square: bool) -> None:
        self.high = height
        self.steps: list[tuple[int, int]] = []
        while not self.steps or self.high > LOW:
            self.steps.append((2, 2 if square or len(self.steps) < 2 else 1))
            self.high = -(-self.high // 2)

    def wide(self, widths: Any) -> Any:
        """How many columns there are of images of these widths, a number, an array or a tensor."""
        for _, across in self.steps:
            widths = (widths + across - 1) // across
        return widths


class Convolution(nn.Module):
    """Layers of 3x3 convolution, ReLU, and the maximum of neighbours, each with half the rows of the one before."""

    def __init__(self, grid: Grid, channels: int) -> None:
        super().__init__()
        self.grid = grid
        sizes = [channels, *(CHANNELS[min(k, len(CHANNELS) - 1)] for k in range(len(grid.steps)))]
        self.channels = sizes[-1]
        self.layers = nn.ModuleList(nn.Conv2d(*pair, 3, padding=1) for pair in itertools.pairwise(sizes))

    def forward(self, pixels: Tensor, widths: Tensor | None) -> Tensor:
        """Return (B, `channels`, rows, columns) for z-scores (B, C, H, W) of images so wide (B,), of W where None."""
        if widths is not None and not torch.compiler.is_compiling() and not bool((widths < pixels.shape[-1]).any()):
            widths = None
        found = pixels if widths is None else pixels * _live(pixels.shape[-1], widths)
        found = found.contiguous(memory_format=torch.channels_last)  # maxima take a fifth of the time there
        for layer, step in zip(self.layers, self.grid.steps, strict=True):
            found = layer(found)
            if widths is not None:  # no less than zero, so that what is beyond is no maximum
                found = found.relu() * _live(found.shape[-1], widths)
                widths = (widths + step[1] - 1) // step[1]
            if widths is not None and torch.compiler.is_compiling():  # of a width of any size nothing is rounded up
                found = F.max_pool2d(F.pad(found, (0, step[1] - 1, 0, step[0] - 1)), step)
            else:
                found = F.max_pool2d(found, step, ceil_mode=True).relu()  # the maximum first: a fourth is left for ReLU
        return found


class ImageReader(Reader):
    """Pixels, in training moved by some random number, as z-scores: abstract."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, features: int, scale: Scale, moved: int) -> None:
        super().__init__()
        self.features, self.moved = features, moved
        for name, values in zip(("mean", "deviation"), scale, strict=True):
            self.register_buffer(name, torch.tensor(values).view(-1, 1, 1), persistent=False)

    def forward(self, batch: Any) -> Tensor:
        """Return (T, B, features) for images side by side."""
        pixels = batch.pixels
        if self.training and self.moved:
            pixels = moved(pixels, batch.widths, ways(len(batch.widths), self.moved, pixels.device))
        return self.read(self.scaled(pixels), batch.widths)

    def scaled(self, pixels: Tensor) -> Tensor:
        """The z-scores of pixels (W, B, H, C), (B, C, H, W)."""
        return (pixels.permute(1, 3, 2, 0).float() - self.mean) / self.deviation

    @abstractmethod
    def read(self, scaled: Tensor, widths: Tensor | None) -> Tensor:
        """Return the features of z-scores (B, C, H, W) of images of these widths (B,); None where all are W."""


class ColumnReader(ImageReader):
    """features_t = ReLU(W [what the convolutions see in column t])."""

    def __init__(self, grid: Grid, scale: Scale, moved: int, features: int) -> None:
        super().__init__(features, scale, moved)
        self.convolution = Convolution(grid, len(scale[0]))
        self.project = nn.Linear(self.convolution.channels * grid.high, features)

    def read(self, scaled: Tensor, widths: Tensor | None) -> Tensor:
        """A time step for each column."""
        found = self.convolution(scaled, widths).permute(3, 0, 1, 2)
        found = found.contiguous().flatten(2)  # flatten alone copies too; of grey images torch's exporter cannot tell
        features: Tensor = self.project(found).relu()
        return features


class PlaceReader(ImageReader):
    """features_t = ReLU(W [what the convolutions see at place t])."""

    def __init__(self, grid: Grid, scale: Scale, moved: int, features: int) -> None:
        super().__init__(features, scale, moved)
        self.convolution = Convolution(grid, len(scale[0]))
        self.project = nn.Linear(self.convolution.channels, features)

    def read(self, scaled: Tensor, widths: Tensor | None) -> Tensor:
        """A time step for each place: column after column, so that padding lies at the end, each from top to bottom."""
        found = self.convolution(scaled, widths).permute(3, 2, 0, 1).flatten(0, 1)
        features: Tensor = self.project(found).relu()
        return features


class RowReader(ImageReader):
    """The pixels of a row are its features: no convolution."""

    def __init__(self, width: int, scale: Scale, moved: int) -> None:
        super().__init__(width * len(scale[0]), scale, moved)

    def read(self, scaled: Tensor, widths: Tensor | None) -> Tensor:
        """A time step for each row of pixels."""
        del widths
        return scaled.permute(2, 0, 3, 1).flatten(2)


class FrameReader(ImageReader):
    """features_t = ReLU(W [what the convolutions see in frame t of a video]); all frames of a video move alike."""

    def __init__(self, grid: Grid, width: int, scale: Scale, moved: int, features: int) -> None:
        super().__init__(features, scale, moved)
        self.convolution = Convolution(grid, len(scale[0]))
        self.project = nn.Linear(self.convolution.channels * grid.high * grid.wide(width), features)

    def forward(self, batch: Any) -> Tensor:
        """Return (T, B, features) for the frames of videos side by side."""
        owners = torch.repeat_interleave(batch.lengths)
        each = owners.new_zeros(2, len(batch.lengths))
        if self.training and self.moved:
            each = ways(len(batch.lengths), self.moved, owners.device)
        found = self._found(batch.frames.transpose(0, 1), each[:, owners])
        steps = torch.arange(len(owners), device=owners.device) - (batch.lengths.cumsum(0) - batch.lengths)[owners]
        padded = found.new_zeros(int(batch.lengths.max()), len(batch.lengths), self.features)
        return padded.index_put((steps, owners), found)

    def _found(self, pixels: Tensor, ways: Tensor) -> Tensor:
        """The features of frames (W, N, H, C), piece by piece, each moved in its way (2, N) in training."""
        size = max(1, PIECE // (pixels.shape[0] * pixels.shape[2]))
        pieces = list(zip(torch.split(pixels, size, 1), torch.split(ways, size, 1), strict=True))
        if len(pieces) > 1 and torch.is_grad_enabled():
            found = [
                checkpoint(self._features, *piece, use_reentrant=False, preserve_rng_state=False) for piece in pieces
            ]
        else:
            found = [self._features(*piece) for piece in pieces]
        return torch.cat(found)

    def _features(self, pixels: Tensor, ways: Tensor) -> Tensor:
        if self.training and self.moved:
            pixels = moved(pixels, torch.full_like(ways[0], len(pixels)), ways)
        return self.read(self.scaled(pixels), None)

    def read(self, scaled: Tensor, widths: Tensor | None) -> Tensor:
        """The features of every frame, (N, features)."""
        features: Tensor = self.project(self.convolution(scaled, widths).flatten(1)).relu()
        return features


def ways(count: int, most: int, device: torch.device) -> Tensor:
    """By how many pixels each of some images is moved to the right and down, (2, count)."""
    return torch.randint(-most, most + 1, (2, count), device=device)


def moved(pixels: Tensor, widths: Tensor, ways: Tensor) -> Tensor:
    """Pixels (W, B, H, C), every image moved in its own way (2, B), the pixels at its edge repeated."""
    wide, rows, high, _ = pixels.shape
    across, down = ways
    x = torch.minimum((torch.arange(wide, device=pixels.device).unsqueeze(1) + across).clamp_min(0), widths - 1)
    y = (torch.arange(high, device=pixels.device).unsqueeze(1) + down).clamp(0, high - 1)
    row = torch.arange(rows, device=pixels.device)
    return pixels[x.unsqueeze(2), row.view(1, -1, 1), y.t().unsqueeze(0)]


def _live(wide: int, widths: Tensor) -> Tensor:
    """1 for the columns of each image, 0 beyond, (B, 1, 1, W)."""
    return (torch.arange(wide, device=widths.device) < widths.view(-1, 1, 1, 1)).float()
