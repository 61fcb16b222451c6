"""Which label was answered for which: the matrix while it can be taken in at a glance, and the pairs most confused."""

from typing import Any

from elman.report.record import Record, are_numbers, is_number, listed

AT_A_GLANCE = 20
FEW = 5
"""From so many rows on a pair of labels is worth a sentence."""
DEEPEST = 0.55
"""How opaque the colour of a cell is at most, so that the number over it can be read on light and on dark paper."""


def view(record: Record) -> dict[str, Any] | None:
    """For every answered column the matrix, what to do about it, every label's figures, and the pairs."""
    entries = record.get("confusion")
    entries = entries if isinstance(entries, list) else [entries]  # older runs have one, not in a list
    columns = [column for entry in entries if isinstance(entry, dict) and (column := _column(entry)) is not None]
    return {"columns": columns} if columns else None


def _column(entry: dict[str, Any]) -> dict[str, Any] | None:
    """The matrix, with the share of its row in each cell; every label's figures; the pairs."""
    labels: Any = entry.get("labels")
    counts: Any = entry.get("counts")
    square = _is_square(labels, counts)
    kept = [pair for pair in listed(entry.get("pairs")) if isinstance(pair, dict) and is_number(pair.get("rows"))]
    if not square and not kept:
        return None
    return {
        "name": entry.get("column"),
        "matrix": _matrix(labels, counts) if square and len(labels) <= AT_A_GLANCE else None,
        "labels": _figures(labels, counts) if square else [],
        "pairs": [{name: pair.get(name) for name in ("truth", "answer", "rows", "of")} for pair in kept],
        "worst": None if square and not _has_learnt(counts) else _worst(kept),
    }


def _has_learnt(counts: list[list[float]]) -> bool:
    """Whether most answers are right: else what it confuses says more of the network than of the labels."""
    return 2 * sum(row[k] for k, row in enumerate(counts)) > sum(map(sum, counts))


def _worst(pairs: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The pair that is confused most, both ways together, if that is more than chance and more than a few."""
    both: dict[frozenset[str], dict[str, Any]] = {}
    for pair in pairs:
        truth, answer = str(pair.get("truth")), str(pair.get("answer"))
        found = both.setdefault(frozenset((truth, answer)), {"truth": truth, "answer": answer, "rows": 0})
        found["rows"] += pair["rows"]
    worst = max(both.values(), key=lambda found: float(found["rows"]), default=None)
    return worst if worst is not None and worst["rows"] >= FEW else None


def _is_square(labels: Any, counts: Any) -> bool:
    if not isinstance(labels, list) or not isinstance(counts, list) or not labels or len(labels) != len(counts):
        return False
    return all(are_numbers(row) and len(row) == len(labels) for row in counts)


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
