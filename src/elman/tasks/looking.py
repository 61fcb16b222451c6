"""What tasks share that read images: their options, and pictures for the report.

It does not know what is said of an image.
"""

from dataclasses import dataclass
from typing import Any

from elman.data.images import data_uri
from elman.data.tables import Column
from elman.modalities.images import READINGS, EncodedImages, Images
from elman.training.options import option


@dataclass(frozen=True, kw_only=True)
class ImageOptions:
    """How images are read; a part of the options of a task that reads them."""

    size: str | None = option(
        None, "pixels of images: WIDTHxHEIGHT, or xHEIGHT to keep proportions (default: as most are, at most 64 high)"
    )
    reading: str = option(
        "columns",
        "time steps of an image: columns or places of what convolutions make of it, or its rows of pixels",
        choices=READINGS,
    )
    shift: float = option(0.07, "move images in training by up to this share of their height", minimum=0, maximum=0.5)

    def images(self, column: Column) -> Images:
        """Return the modality of a column that names images."""
        return Images.fit(column, self.size, self.reading, self.shift)


def picture(inputs: Any, row: int) -> dict[str, Any]:
    """Return the image of a row as an entry for the report; none where rows are no images."""
    return {"image": data_uri(inputs.image(row))} if isinstance(inputs, EncodedImages) else {}
