"""Where a decoder looked while it wrote: at symbols that were read, at frames of a video, or at places of an image."""

from typing import Any

from elman.report.record import Record, has_lists, is_number
from elman.report.sections.base import image

FAINT = 0.02
"""Weights below are left white."""
FAINT_PLACE = 0.1
"""Places whose weight is below this share of the largest are left as they are."""


def view(record: Record) -> dict[str, Any] | None:
    """The maps, each with its symbols, and strengths from 0 to 1 by written symbol; the images, likewise."""
    entries = [entry for entry in record.each("attention") if _is_map(entry)]
    maps = [_map(entry) for entry in entries if isinstance(entry.get("read"), list)]
    films = [_film(entry) for entry in entries if isinstance(entry.get("frames"), list)]
    images = [_image(entry) for entry in entries if "grid" in entry]
    return {"maps": maps, "films": films, "images": images} if entries else None


def _map(entry: dict[str, Any]) -> dict[str, Any]:
    return {"row": entry.get("row"), "read": [str(piece) for piece in entry["read"]], "rows": _strengths(entry)}


def _film(entry: dict[str, Any]) -> dict[str, Any]:
    frames = [image(frame) for frame in entry["frames"]]
    return {"row": entry.get("row"), "frames": frames, "rows": _strengths(entry)}


def _image(entry: dict[str, Any]) -> dict[str, Any]:
    """The image, and for every symbol the places that are looked at: left, top, width, height in percent, strength.

    A place is as strong as it is beside the strongest, since there are many of them.
    """
    columns, rows = entry["grid"]
    wide, high = 100 / columns, 100 / rows
    shown = []
    for piece, weights in zip(entry["written"], entry["weights"], strict=True):
        numbers = [max(0.0, w) if is_number(w) else 0.0 for w in weights]
        strengths = [round(number / (max(numbers) or 1.0), 2) for number in numbers]
        places = [(k // rows * wide, k % rows * high, wide, high, strength) for k, strength in enumerate(strengths)]
        shown.append((str(piece) or "end", [place for place in places if place[-1] >= FAINT_PLACE]))
    return {"row": entry.get("row"), "image": image(entry.get("image")), "symbols": shown}


def _strengths(entry: dict[str, Any]) -> list[tuple[str, list[float]]]:
    """Each written symbol with the weights that are not faint."""
    rows = [[round(w, 3) if is_number(w) and w >= FAINT else 0.0 for w in weights] for weights in entry["weights"]]
    return list(zip([str(piece) or "end" for piece in entry["written"]], rows, strict=True))


def _is_map(entry: Any) -> bool:
    if not has_lists(entry, "written", "weights"):
        return False
    along = next((entry[name] for name in ("read", "frames") if isinstance(entry.get(name), list)), None)
    wide = _places(entry.get("grid")) if along is None else len(along)
    if not wide or len(entry["weights"]) != len(entry["written"]):
        return False
    return all(isinstance(row, list) and len(row) == wide for row in entry["weights"])


def _places(grid: Any) -> int:
    """How many places a grid has; 0 where it is none."""
    if not isinstance(grid, list) or len(grid) != 2 or not all(isinstance(side, int) for side in grid):
        return 0
    columns, rows = map(int, grid)
    return max(0, columns) * max(0, rows)
