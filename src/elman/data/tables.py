"""Tables on disk: csv, tsv, jsonl and parquet by the file's ending."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from elman import files
from elman.errors import UsageError

WRITERS: dict[str, Callable[[Any, Path], None]] = {
    ".csv": lambda frame, path: frame.write_csv(path),
    ".tsv": lambda frame, path: frame.write_csv(path, separator="\t"),
    ".jsonl": lambda frame, path: frame.write_ndjson(path),
    ".parquet": lambda frame, path: frame.write_parquet(path),
}


def check_writable(path: Path) -> None:
    """Raise UsageError, before any work is done, where `write` could not know the format."""
    if path.suffix not in WRITERS:
        raise UsageError(f"cannot tell a table's format from {path}; end it in {', '.join(WRITERS)}")


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write rows, columns by name, whole or not at all."""
    check_writable(path)
    import polars as pl

    return files.replace(path, lambda temporary: WRITERS[path.suffix](pl.DataFrame(rows), temporary))
