"""The files that the run was made from."""

from typing import Any

from elman.report import wording
from elman.report.record import Record, is_number

NAMES = {"train": "Training", "valid": "Validation", "test": "Test", "pretrained": "Pretrained run"}
KNOWN = ("path", "sha256", "start", "stop", "scores")


def view(record: Record) -> dict[str, Any] | None:
    """One entry for each file, and for the run that it learnt on from: its numbers, and its fingerprint."""
    entries = record.part("data") | {"pretrained": record.part("pretrained") or None}
    files = [_file(split, entry) for split, entry in entries.items() if isinstance(entry, dict)]
    return {"files": files} if files else None


def _file(split: str, entry: dict[str, Any]) -> dict[str, Any]:
    counts = {name: value for name, value in entry.items() if name not in KNOWN and value is not None}
    return {
        "name": NAMES.get(split, split),
        "path": entry.get("path"),
        "sha256": entry.get("sha256"),
        "counts": _bytes(entry) | counts,
    }


def _bytes(entry: dict[str, Any]) -> dict[str, str]:
    """Which part of its file this is, where it is a part."""
    start, stop = entry.get("start"), entry.get("stop")
    if not is_number(start) or (not start and stop is None):
        return {}
    return {"bytes": f"{wording.number(start)} to {wording.number(stop) if is_number(stop) else 'the end'}"}
