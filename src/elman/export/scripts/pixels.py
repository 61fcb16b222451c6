"""What an example makes of an image or a video: the pixels that the run would keep of it."""

import re
from pathlib import Path
from typing import Any

import numpy as np

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")


def encode(read: dict[str, Any], given: Any) -> dict[str, Any]:
    """Return the inputs for one image or video: a file, a folder, or a list of files."""
    from PIL import Image

    if isinstance(given, list) or Path(given).is_dir():
        frames, paths = [], given if isinstance(given, list) else inside(Path(given))
        for place in among(read, len(paths)):
            with Image.open(paths[place]) as image:
                frames.append(pixels(read, image))
    else:
        with Image.open(given) as image:
            still = read["modality"] == "images"
            places = [0] if still else among(read, getattr(image, "n_frames", 1))
            frames = []
            for place in places:
                image.seek(place)
                frames.append(pixels(read, image))
    if read["modality"] == "videos":
        return {"frames": np.stack(frames)[None], "lengths": np.array([len(frames)], np.int64)}
    found = {"images": frames[0][None]}
    return found if read["size"][0] != "x" else found | {"widths": np.array([frames[0].shape[1]], np.int64)}


def among(read: dict[str, Any], count: int) -> list[int]:
    """Return which frames are read of so many: all, or of too many some from all over."""
    most = min(count, read["longest"]) if read.get("thin") else count
    return [int(place) for place in np.linspace(0, count - 1, most).round()]


def inside(folder: Path) -> list[Path]:
    """Return the images in a folder in the order of their names, numbers in them by their value."""

    def key(path: Path) -> list[tuple[bool, int, str]]:
        cut = re.findall(r"\d+|\D+", path.name)
        return [(not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in cut]

    return sorted((path for path in folder.iterdir() if path.suffix.lower() in ENDINGS), key=key)


def pixels(read: dict[str, Any], image: Any) -> Any:
    """Return the pixels (H, W, C) of an image of Pillow's: upright, in eight bits, resized."""
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # sixteen bits of grey
        image = Image.fromarray((np.asarray(image) / 257).clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:  # with white behind it
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    plain = image.convert("L" if len(read["mean"]) == 1 else "RGB")
    width, height = (int(side or 0) for side in read["size"].split("x"))
    width = width or max(1, round(plain.width * height / plain.height))
    if plain.size != (width, height):
        plain = plain.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(plain).reshape(height, width, len(read["mean"]))
