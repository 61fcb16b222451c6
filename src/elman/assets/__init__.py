"""Data that ships with Elman, by name: what `elman train language-modeling tinyshakespeare` reads."""

import os
from pathlib import Path

from elman.errors import UsageError

TEXTS = {
    # The plays' beginning lines as collected by Andrej Karpathy for char-rnn (2015); the text is in the public domain.
    "tinyshakespeare": "tinyshakespeare.txt.xz",
}


def find(data: str | Path) -> Path:
    """Return the file that `data` means: itself, or the shipped text of that name where no such file exists.

    Raises:
        UsageError: if it is no path.
    """
    if not isinstance(data, str | os.PathLike):
        raise UsageError(
            f"training reads a file, or a text that ships with Elman ({', '.join(TEXTS)}), got {type(data).__name__}; "
            "write rows to a table first, such as a .parquet file"
        )
    path = Path(data)
    name = TEXTS.get(str(data))
    return path if name is None or path.exists() else Path(__file__).parent / name


def name(path: Path) -> str:
    """Return how a user would name a file: the shipped text's name, or the path."""
    shipped = {file: text for text, file in TEXTS.items()}
    return shipped.get(path.name, str(path)) if path.parent == Path(__file__).parent else str(path)
