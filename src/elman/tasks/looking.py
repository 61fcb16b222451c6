"""What tasks share that read images: their options, and pictures for the report.

It does not know what is said of an image.
"""

from dataclasses import dataclass
from typing import Any

from elman.data.images import data_uri
from elman.data.tables import Column
from elman.modalities.images import READINGS, EncodedImages, Images
from elman.training.options import TrainingOptions, option


@dataclass(frozen=True, kw_only=True)
class ImageOptions(TrainingOptions):
    """How images are read, those of videos too."""

    size: str | None = option(
        None, "pixels of images: WIDTHxHEIGHT, or xHEIGHT to keep proportions (default: as most are, at most 64 high)"
    )
    shift: float = option(0.07, "move images in training by up to this share of their height", minimum=0, maximum=0.5)


@dataclass(frozen=True, kw_only=True)
class StillOptions(ImageOptions):
    """How an image by itself is read."""

    reading: str = option(
        "columns",
        "time steps of an image: columns or places of what convolutions make of it, or its rows of pixels",
        choices=READINGS,
    )


def stills(column: Column, options: StillOptions) -> Images:
    """Fit images to the rows to learn from."""
    return Images.fit(column, options.size, options.reading, options.shift)


def picture(inputs: Any, row: int) -> dict[str, Any]:
    """Return the image of a row as an entry for the report; none where rows are no images."""
    return {"image": data_uri(inputs.image(row))} if isinstance(inputs, EncodedImages) else {}
