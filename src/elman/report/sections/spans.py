"""Rows with their spans, as they are and as they were answered, and every kind of span in figures."""

from collections.abc import Iterable
from typing import Any

from elman.report.record import Record, has_lists, is_number


def view(record: Record) -> dict[str, Any] | None:
    """Rows as pieces of text, marked or not; the kinds, the hardest first."""
    shown = [_row(row) for row in record.each("spans", "rows") if has_lists(row, "tokens", "truth", "answer")]
    kinds = [_kind(name, counts) for name, counts in record.part("spans", "kinds").items() if _is_kind(counts)]
    if not shown and not kinds:
        return None
    return {"rows": shown, "kinds": sorted(kinds, key=lambda kind: kind["f1"])}


def _row(row: dict[str, Any]) -> dict[str, Any]:
    tokens = [str(token) for token in row["tokens"]]
    truth, answer = (_inside(row[name], len(tokens)) for name in ("truth", "answer"))
    right = {tuple(span) for span in truth} & {tuple(span) for span in answer}
    return {
        "row": row.get("row"),
        "truth": _pieces(tokens, truth, right),
        "answer": None if len(right) == len(truth) == len(answer) else _pieces(tokens, answer, right),
    }


def _pieces(tokens: list[str], spans: list[list[Any]], right: set[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """The tokens outside as plain text, those of each span together."""
    pieces: list[dict[str, Any]] = []
    at = 0
    for start, stop, kind in spans:
        if at < start:
            pieces.append({"text": " ".join(tokens[at:start]), "kind": ""})
        pieces.append({"text": " ".join(tokens[start:stop]), "kind": str(kind), "right": (start, stop, kind) in right})
        at = stop
    return [*pieces, {"text": " ".join(tokens[at:]), "kind": ""}] if at < len(tokens) else pieces


def _inside(spans: Iterable[Any], length: int) -> list[list[Any]]:
    """Those spans that lie within the row, in order and apart."""
    kept: list[list[Any]] = []
    for span in spans:
        if isinstance(span, list) and len(span) == 3 and all(isinstance(end, int) for end in span[:2]):
            begin = kept[-1][1] if kept else 0
            kept += [span] if begin <= span[0] < span[1] <= length else []
    return kept


def _is_kind(counts: Any) -> bool:
    names = ("truth", "answered", "right")
    return isinstance(counts, dict) and all(is_number(counts.get(name)) for name in names)


def _kind(name: str, counts: dict[str, Any]) -> dict[str, Any]:
    truth, answered, right = counts["truth"], counts["answered"], counts["right"]
    return {
        "name": name,
        "spans": truth,
        "precision": right / answered if answered else None,
        "recall": right / truth if truth else None,
        "f1": 2 * right / (truth + answered) if truth + answered else 0.0,
    }
