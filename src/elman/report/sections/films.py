"""Videos frame by frame, with the right tag below each and, where it is another one, the answer."""

from typing import Any

from elman.report.record import Record, has_lists
from elman.report.sections.base import image

FRAMES = ("images", "truth", "answer")


def view(record: Record) -> dict[str, Any] | None:
    """Rows from all over the part that was scored."""
    films = [_film(entry) for entry in record.each("films") if _is_film(entry)]
    return {"films": films} if films else None


def _film(entry: dict[str, Any]) -> dict[str, Any]:
    frames = zip(entry["images"], entry["truth"], entry["answer"], strict=True)
    return {
        "row": entry.get("row"),
        "frames": [
            {"image": image(picture), "truth": str(truth), "answer": None if answer == truth else str(answer)}
            for picture, truth, answer in frames
        ],
    }


def _is_film(entry: Any) -> bool:
    return has_lists(entry, *FRAMES) and len({len(entry[name]) for name in FRAMES}) == 1
