"""Where a decoder looked while it wrote: a row for each symbol that was written, a column for each that was read."""

from typing import Any

from elman.report.record import Record, is_number

FAINT = 0.02
"""Weights below are left white."""


def view(record: Record) -> dict[str, Any] | None:
    """The maps, each with its symbols, and cells by written symbol as strengths from 0 to 1."""
    found = record.get("attention")
    maps = [_map(entry) for entry in found if _is_map(entry)] if isinstance(found, list) else []
    return {"maps": maps} if maps else None


def _map(entry: dict[str, Any]) -> dict[str, Any]:
    rows = [[round(w, 3) if is_number(w) and w >= FAINT else 0.0 for w in weights] for weights in entry["weights"]]
    written = [str(piece) or "end" for piece in entry["written"]]
    return {
        "row": entry.get("row"),
        "read": [str(piece) for piece in entry["read"]],
        "rows": list(zip(written, rows, strict=True)),
    }


def _is_map(entry: Any) -> bool:
    if not isinstance(entry, dict) or not all(isinstance(entry.get(name), list) for name in ("read", "written")):
        return False
    weights = entry.get("weights")
    wide = len(entry["read"])
    return (
        isinstance(weights, list)
        and len(weights) == len(entry["written"])
        and all(isinstance(row, list) and len(row) == wide for row in weights)
    )
