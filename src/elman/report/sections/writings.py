"""Texts that were read, with the right answer and what was written."""

from typing import Any

from elman.report.record import Record
from elman.report.sections.base import image

LONGEST = 600
"""Characters of a text that was read which are shown; a page of e-mails in full is read by nobody."""


def view(record: Record) -> dict[str, Any] | None:
    """Rows from all over the part that was scored."""
    rows = [entry for entry in record.each("writings") if isinstance(entry, dict)]
    return {"rows": [_row(entry) for entry in rows]} if rows else None


def _row(entry: dict[str, Any]) -> dict[str, Any]:
    texts = {name: str(entry.get(name) or "") for name in ("input", "truth", "answer")}
    if len(texts["input"]) > LONGEST:
        texts["input"] = f"{texts['input'][:LONGEST].rstrip()} …"
    texts["image"] = image(entry.get("image"))
    return texts | {"row": entry.get("row"), "right": texts["truth"].strip() == texts["answer"].strip()}
