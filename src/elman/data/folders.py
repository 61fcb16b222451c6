"""A folder with a folder of files for each label, as a table: so collections of images, sounds and texts come.

    digits/3/a.png
    digits/3/b.png      is the table      path            label
    digits/7/c.png                        digits/3/a.png  3 ...

Texts are read, other files are named. It does not know what is made of them.
"""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from elman import files
from elman.errors import DataError

TEXTS = ".txt"


def listed(folder: Path, kinds: Mapping[str, tuple[str, ...]]) -> pl.DataFrame:
    """The files by name, in order: columns path and label, of texts text and label.

    Args:
        folder: of the labels' folders; what else lies in it is not looked at, nor what is hidden.
        kinds: endings of files by what they hold.

    Raises:
        DataError: if there are no such folders, or files of several kinds in them.

    """
    found = {each.name: _visible(each) for each in _visible(folder) if each.is_dir()}
    all_files = [(path, label) for label, paths in found.items() for path in paths]
    if odd := next((path for path, _ in all_files if os.fsencode(path) != str(path).encode("utf-8", "replace")), None):
        raise DataError(f"cannot read {odd}: its name is not UTF-8; rename it")
    if not all_files:
        raise DataError(
            f"{folder} is a folder without folders of files; give a table, or a folder that holds one for each label, "
            "as in digits/3/a.png"
        )
    kinds = {**kinds, "texts": (TEXTS,)}
    first = all_files[0][0]
    kind = next((name for name, ends in kinds.items() if first.suffix.lower() in ends), None)
    if kind is None:
        known = ", ".join(end for ends in kinds.values() for end in ends)
        raise DataError(
            f"{first} is none of the files that are read from a folder ({known}); remove it, or give a table"
        )
    if other := next((path for path, _ in all_files if path.suffix.lower() not in kinds[kind]), None):
        raise DataError(f"{other} is not one of {kind}, as {first} is; remove it, or give a table")
    labels = [label for _, label in all_files]
    if kind == "texts":
        return pl.DataFrame({"text": [_text(path) for path, _ in all_files], "label": labels})
    return pl.DataFrame(
        {"path": [path.relative_to(folder.parent).as_posix() for path, _ in all_files], "label": labels}
    )


def fingerprint(folder: Path) -> str:
    """The SHA-256 of the names and bytes of all files in the folders of a folder."""
    found = hashlib.sha256()
    for path in (path for each in _visible(folder) if each.is_dir() for path in _visible(each)):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        found.update(f"{path.relative_to(folder)}\n{digest}\n".encode("utf-8", "replace"))
    return found.hexdigest()


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
