"""Data that ships with Elman, by name: what `elman train language-modeling tinyshakespeare` reads."""

from pathlib import Path

TEXTS = {
    # The plays' beginning lines as collected by Andrej Karpathy for char-rnn (2015); the text is in the public domain.
    "tinyshakespeare": "tinyshakespeare.txt.xz",
}


def find(data: str | Path) -> Path:
    """Return the file that `data` means: itself, or the shipped text of that name where no such file exists."""
    path = Path(data)
    name = TEXTS.get(str(data))
    return path if name is None or path.exists() else Path(__file__).parent / name


def name(path: object) -> str:
    """Return how a user would name data: the shipped text's name, the path, or what else it says of itself."""
    if not isinstance(path, Path):
        return str(path)
    shipped = {file: text for text, file in TEXTS.items()}
    return shipped.get(path.name, str(path)) if path.parent == Path(__file__).parent else str(path)
