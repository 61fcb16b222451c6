"""Videos as a model's input: the pixels of every frame, a byte for each channel."""

from typing import Any

import torch
from torch import Tensor, nn

from elman.data.tables import Column
from elman.export.base import BATCH, TIME, Port
from elman.export.feeds.base import Fed, Feed, lengths, still_there
from elman.modalities.convolution import FrameReader
from elman.modalities.videos import Videos
from elman.training.examples import Batch


class PaddedFrameReader(nn.Module):
    """`FrameReader` for videos side by side, (B, T, H, W, C)."""

    def __init__(self, reader: FrameReader) -> None:
        super().__init__()
        self.reader = reader

    def forward(self, videos: Tensor) -> Tensor:
        """Return (T, B, features)."""
        return self.frames(videos.transpose(0, 1).flatten(0, 1)).reshape(videos.shape[1], videos.shape[0], -1)

    def frames(self, frames: Tensor) -> Tensor:
        """Return (N, features) for frames (N, H, W, C)."""
        return self.reader.read(self.reader.scaled(frames.permute(2, 0, 1, 3)), None)


class VideoFeed(Feed):
    """Frames (B, T, H, W, C)."""

    modality = Videos
    script = "look"

    def __init__(self, read: Videos, reader: FrameReader) -> None:
        super().__init__(read, PaddedFrameReader(reader))

    @property
    def ports(self) -> tuple[Port, ...]:
        """Frames and lengths."""
        size, channels = self.read.size, self.read.channels
        meaning = f"pixels of each frame as Pillow has them, resized to {size}; channels last"
        return Port("frames", (BATCH, TIME, size.height, size.width, channels), meaning, torch.uint8), lengths("frames")

    def forward(self, *tensors: Tensor) -> Fed:
        """Hand them on."""
        frames, lengths = tensors
        return Fed(frames, lengths)

    def tensors(self, batch: Batch) -> tuple[Tensor, ...]:
        """Lay videos side by side."""
        videos = batch.inputs.frames.split(batch.lengths.tolist())
        return nn.utils.rnn.pad_sequence(list(videos), batch_first=True).transpose(2, 3).contiguous(), batch.lengths

    def step(self, *tensors: Tensor) -> Tensor:
        """Read frames (B, H, W, C)."""
        features: Tensor = self.reader.frames(*tensors)
        return features

    def given(self, column: Column, value: Any) -> Any:
        """The file, the folder or the files, if they are still there."""
        if isinstance(value, str):
            return still_there(column, value)
        paths = [still_there(column, name) for name in value]
        return None if None in paths else paths
