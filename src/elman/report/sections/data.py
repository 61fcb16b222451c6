"""The files that the run was made from."""

from typing import Any

from elman.report.record import Record

NAMES = {"train": "Training", "valid": "Validation", "test": "Test"}


def view(record: Record) -> dict[str, Any] | None:
    """One entry for each file: its numbers, and its fingerprint."""
    files = [_file(split, entry) for split, entry in record.part("data").items() if isinstance(entry, dict)]
    return {"files": files} if files else None


def _file(split: str, entry: dict[str, Any]) -> dict[str, Any]:
    counts = {name: value for name, value in entry.items() if name not in ("path", "sha256") and value is not None}
    return {
        "name": NAMES.get(split, split),
        "path": entry.get("path"),
        "sha256": entry.get("sha256"),
        "counts": counts,
    }
