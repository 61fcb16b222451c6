"""Videos frame by frame, and how sure the network is of the right label when it has seen a video so far."""

from typing import Any

from elman.report.record import Record, are_numbers, has_lists
from elman.report.sections.base import image


def view(record: Record) -> dict[str, Any] | None:
    """Rows from all over the part that was scored."""
    films = [_film(entry) for entry in record.each("watched") if _is_film(entry)]
    return {"films": films} if films else None


def _film(entry: dict[str, Any]) -> dict[str, Any]:
    truth, answer = str(entry.get("truth")), str(entry.get("answer"))
    frames = zip(entry["images"], entry["probabilities"], strict=True)
    return {
        "row": entry.get("row"),
        "truth": truth,
        "answer": None if answer == truth else answer,
        "frames": [{"image": image(picture), "sure": min(1.0, max(0.0, sure))} for picture, sure in frames],
    }


def _is_film(entry: Any) -> bool:
    if not has_lists(entry, "images", "probabilities"):
        return False
    return len(entry["images"]) == len(entry["probabilities"]) and are_numbers(entry["probabilities"])
