"""What tasks share that read images and whole videos: their options, and pictures for the report.

It does not know what is said of an image.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from elman.data import videos
from elman.data.images import data_uri
from elman.data.tables import Column
from elman.modalities.base import Encoded
from elman.modalities.images import READINGS, EncodedImages, Images
from elman.modalities.videos import EncodedVideos, Videos
from elman.training.options import TrainingOptions, option

STRIP = 6
"""Frames that stand for a video where there is room for one picture."""


@dataclass(frozen=True, kw_only=True)
class ImageOptions(TrainingOptions):
    """How images are read, those of videos too."""

    size: str | None = option(
        None, "pixels of images: WIDTHxHEIGHT, or xHEIGHT to keep proportions (default: as most are, at most 64 high)"
    )
    shift: float = option(0.07, "move images in training by up to this share of their height", minimum=0, maximum=0.5)


@dataclass(frozen=True, kw_only=True)
class WholeOptions(ImageOptions):
    """How an image by itself is read, or a video as a whole."""

    reading: str = option(
        "columns",
        "time steps of an image: columns or places of what convolutions make of it, or its rows of pixels",
        choices=READINGS,
    )
    frames: int = option(
        64, "the most frames of a video that are read; of longer ones so many from all over", minimum=1
    )


def whole(column: Column, options: WholeOptions) -> Images | Videos:
    """Fit images, or videos where the column names such, to the rows to learn from."""
    o = options
    if videos.are_named(column) or column.kind == "films":
        return Videos.fit(column, o.size, o.shift, o.frames, thin=True)
    return Images.fit(column, o.size, o.reading, o.shift)


def picture(inputs: Encoded, row: int) -> dict[str, Any]:
    """Return the image of a row, or frames of its video side by side, for the report; of other rows none."""
    if isinstance(inputs, EncodedImages):
        return {"image": data_uri(inputs.image(row))}
    if isinstance(inputs, EncodedVideos):
        video = inputs.video(row)
        return {"image": data_uri(np.concatenate(video[videos.among(len(video), STRIP)]))}
    return {}
