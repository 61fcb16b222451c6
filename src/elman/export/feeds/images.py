"""Images as a model's input: pixels as the run keeps them, a byte for each channel."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from elman.data.tables import Column
from elman.export.base import BATCH, INDEX, Port
from elman.export.feeds.base import Fed, Feed, still_there
from elman.modalities.convolution import ImageReader
from elman.modalities.images import Images
from elman.training.examples import Batch

WIDTH = "width"
"""The axis of an image's columns, where images differ in it."""
WIDE = 64
"""Pixels, so that an example has several time steps."""


class Pixels(NamedTuple):
    """Images side by side.

    Attributes:
        scaled: z-scores (B, C, H, W).
        widths: (B,); None where all are W wide.
    """

    scaled: Tensor
    widths: Tensor | None

    def to(self, device: torch.device) -> "Pixels":
        """The same on a device."""
        return Pixels(self.scaled.to(device), None if self.widths is None else self.widths.to(device))


class PixelReader(nn.Module):
    """`ImageReader` for `Pixels`."""

    def __init__(self, reader: ImageReader) -> None:
        super().__init__()
        self.reader = reader

    def forward(self, batch: Pixels) -> Tensor:
        """Return (T, B, features)."""
        return self.reader.read(*batch)


class ImageFeed(Feed):
    """Images (B, H, W, C) and, where they differ in it, their widths (B,)."""

    modality = Images
    script = "look"

    def __init__(self, read: Images, reader: ImageReader) -> None:
        super().__init__(read, PixelReader(reader))

    @property
    def ports(self) -> tuple[Port, ...]:
        """Images and, where they differ in it, their widths."""
        width, high = self.read.size.width, self.read.size.height
        axes = (BATCH, high, width or WIDTH, self.read.channels)
        meaning = f"pixels as Pillow has them, resized to {self.read.size}; channels last"
        images = Port("images", axes, meaning, torch.uint8, {WIDTH: WIDE})
        beside = "columns of each image, from 1 on; what lies behind them is not read"
        return (images,) if width else (images, Port("widths", (BATCH,), beside, INDEX))

    def forward(self, *tensors: Tensor) -> Fed:
        """Make z-scores of bytes, and count time steps."""
        images, *widths = tensors
        scaled = self.reader.reader.scaled(images.permute(2, 0, 1, 3))
        columns, rows = self.read.places(widths[0] if widths else images.shape[2])
        steps = columns * rows
        lengths = steps if isinstance(steps, Tensor) else torch.full((images.shape[0],), steps)
        return Fed(Pixels(scaled, widths[0] if widths else None), lengths)

    def tensors(self, batch: Batch) -> tuple[Tensor, ...]:
        """Turn them batch first."""
        images = batch.inputs.pixels.permute(1, 2, 0, 3).contiguous()
        return (images,) if self.read.size.width else (images, batch.inputs.widths)

    def given(self, column: Column, value: Any) -> Any:
        """The file, if it is still there."""
        return still_there(column, value)
