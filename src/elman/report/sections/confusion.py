"""Which label was answered for which: the matrix while it can be taken in at a glance, and the pairs most confused."""

from typing import Any

from elman.report.record import Record, is_number

AT_A_GLANCE = 20
DEEPEST = 0.55
"""How opaque the colour of a cell is at most, so that the number over it can be read on light and on dark paper."""


def view(record: Record) -> dict[str, Any] | None:
    """The matrix, with the share of its row in each cell; every label's figures; the pairs."""
    labels, counts = record.get("confusion", "labels"), record.get("confusion", "counts")
    square = _is_square(labels, counts)
    pairs = record.each("confusion", "pairs")
    kept = [pair for pair in pairs if isinstance(pair, dict) and is_number(pair.get("rows"))]
    if not square and not kept:
        return None
    return {
        "matrix": _matrix(labels, counts) if square and len(labels) <= AT_A_GLANCE else None,
        "labels": _figures(labels, counts) if square else [],
        "pairs": [{name: pair.get(name) for name in ("truth", "answer", "rows", "of")} for pair in kept],
    }


def _is_square(labels: Any, counts: Any) -> bool:
    if not isinstance(labels, list) or not isinstance(counts, list) or not labels or len(labels) != len(counts):
        return False
    return all(isinstance(row, list) and len(row) == len(labels) and all(map(is_number, row)) for row in counts)


def _matrix(labels: list[Any], counts: list[list[float]]) -> dict[str, Any]:
    rows = []
    for i, row in enumerate(counts):
        total = sum(row) or 1
        cells = [{"count": n, "depth": round(DEEPEST * n / total, 2), "right": i == j} for j, n in enumerate(row)]
        rows.append({"label": str(labels[i]), "cells": cells})
    return {"labels": [str(label) for label in labels], "rows": rows}


def _figures(labels: list[Any], counts: list[list[float]]) -> list[dict[str, Any]]:
    """Precision, recall and F1 of every label that occurs, the worst first."""
    found = []
    for k, label in enumerate(labels):
        right, truth, said = counts[k][k], sum(counts[k]), sum(row[k] for row in counts)
        if truth + said:
            shares = {"precision": right / said if said else None, "recall": right / truth if truth else None}
            found.append({"label": str(label), "rows": truth, **shares, "f1": 2 * right / (truth + said)})
    return sorted(found, key=lambda entry: entry["f1"])
