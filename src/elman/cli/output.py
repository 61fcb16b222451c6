"""What commands print: JSON for programs, aligned lines for people, always on stdout."""

import json
import sys
from collections.abc import Iterable
from typing import Any


def print_json(value: Any) -> None:
    """Print one JSON object and nothing else."""
    json.dump(value, sys.stdout, ensure_ascii=False, allow_nan=False)
    sys.stdout.write("\n")


def print_rows(rows: Iterable[tuple[str, ...]]) -> None:
    """Print rows with their columns aligned."""
    rows = list(rows)
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]) - 1)] if rows else []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        print("  ".join([*cells, row[-1]]).rstrip())


def print_scores(data: str, score: dict[str, Any], baseline: dict[str, Any]) -> None:
    """Print a score beside its baseline, the loser too."""
    unit = score["unit"]
    unknown = f", {score['unknown']:,} of them unknown" if score["unknown"] else ""
    print(f"{data}: {score['symbols']:,} {unit}s{unknown}")
    rows: list[tuple[str, ...]] = [("", f"nats per {unit}", "perplexity", "bits per character")]
    for name, figures in (("this network", score), (baseline["name"], baseline)):
        values = (figures["loss"], figures["perplexity"], figures["bits_per_character"])
        rows.append((name, *(f"{value:.4g}" if value >= 100 else f"{value:.3f}" for value in values)))
    print_rows(rows)


def print_table(rows: list[dict[str, Any]]) -> None:
    """Print rows under their columns' names, for people."""
    if rows:
        print_rows([tuple(rows[0]), *(tuple(_cell(value) for value in row.values()) for row in rows)])


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)


def note(text: str) -> None:
    """Say something on stderr that is not the result."""
    print(text, file=sys.stderr, flush=True)
