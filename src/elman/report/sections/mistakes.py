"""The wrong answers that the model is most sure of."""

from typing import Any

from elman.report.record import Record, is_number
from elman.report.sections.base import image


def view(record: Record) -> dict[str, Any] | None:
    """The mistakes as they were kept, the surest first."""
    mistakes = [_mistake(entry) for entry in record.each("mistakes") if isinstance(entry, dict)]
    return {"mistakes": mistakes} if mistakes else None


def _mistake(entry: dict[str, Any]) -> dict[str, Any]:
    sure = entry.get("probability")
    return {
        "row": entry.get("row"),
        "input": str(entry.get("input") or ""),
        "image": image(entry.get("image")),
        "truth": str(entry.get("truth")),
        "answer": str(entry.get("answer")),
        "probability": sure if is_number(sure) else None,
    }
