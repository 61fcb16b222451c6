"""A folder with a folder of files for each label, as a table: so collections of images, sounds and texts come.

    digits/3/a.png
    digits/3/b.png      is the table      path            label
    digits/7/c.png                        digits/3/a.png  3 ...

Texts are read, other files are named. It does not know what is made of them.
"""

import hashlib
import os
from pathlib import Path

import polars as pl

from elman import files
from elman.data import tables
from elman.data.tables import FILES, READERS, Source, Table
from elman.errors import DataError

TEXTS = ".txt"


def read(source: Source) -> Table:
    """Read such a folder, with the columns path and label, or of texts text and label; else the table that it is.

    Files are in the order of their names. What lies beside the labels' folders is not looked at, nor what is hidden.

    Raises:
        UsageError: a file's ending names no format.
        DataError: there are no such folders, files of several kinds in them, or what `tables.read` says of a table.

    """
    if not isinstance(source, Path) or not source.is_dir() or source.suffix.lower() in READERS:
        return tables.read(source)
    found = _files(source)
    if not found:
        raise DataError(
            f"{source} is a folder without folders of files; give a table, or a folder that holds one for each label, "
            "as in digits/3/a.png"
        )
    kind = _kind(found)
    labels = [path.parent.name for path in found]
    if kind == "texts":
        return Table(str(source), pl.DataFrame({"text": list(map(_text, found)), "label": labels}))
    names = [path.relative_to(source.parent).as_posix() for path in found]
    return Table(str(source), pl.DataFrame({"path": names, "label": labels}))


def holds_labels(place: Path) -> bool:
    """Whether a folder holds folders with files."""
    return place.is_dir() and bool(_files(place))


def fingerprint(source: Source) -> str:
    """The SHA-256 of the names and bytes of all files of such a folder, or that of a table."""
    if not isinstance(source, Path) or not source.is_dir():
        return tables.fingerprint(source)
    found = hashlib.sha256()
    for path in _files(source):
        found.update(f"{path.relative_to(source)}\n{tables.fingerprint(path)}\n".encode("utf-8", "replace"))
    return found.hexdigest()


def _files(folder: Path) -> list[Path]:
    """The files in the folders of a folder."""
    found = [path for label in _visible(folder) if label.is_dir() for path in _visible(label)]
    if odd := next((path for path in found if os.fsencode(path) != str(path).encode("utf-8", "replace")), None):
        raise DataError(f"cannot read {odd}: its name is not UTF-8; rename it")
    return found


def _kind(paths: list[Path]) -> str:
    """What the files hold, all of them the same, by their endings."""
    kinds, first = {**FILES, "texts": (TEXTS,)}, paths[0]
    kind = next((name for name, ends in kinds.items() if first.suffix.lower() in ends), None)
    if kind is None:
        known = ", ".join(end for ends in kinds.values() for end in ends)
        raise DataError(
            f"{first} is none of the files that are read from folders ({known}); remove it, or give a table"
        )
    if other := next((path for path in paths if path.suffix.lower() not in kinds[kind]), None):
        raise DataError(f"{other} is not one of {kind}, as {first} is; remove it, or give a table")
    return kind


def _visible(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise DataError(f"cannot read {folder}: {files.reason(error)}") from error


def _text(path: Path) -> str:
    try:
        if text := path.read_text(encoding="utf-8-sig").strip():
            return text
        raise DataError(f"{path} is empty; fill it in, or remove it")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text (byte {error.start}); convert it first") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {files.reason(error)}") from error
