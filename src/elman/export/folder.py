"""The folder of an export: written whole or not at all.

Of what is in the files it knows only by what an earlier export is told.
"""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from elman import files
from elman.errors import RunError

MARK, EXAMPLE = "model.json", "example.py"
"""The file that names the models of an export, and the one that is beside them."""


def checked(target: Path) -> Path:
    """Return the folder, if it can be made and nothing else would be overwritten.

    Raises:
        RunError: if it is a file, holds anything else than an earlier export, or cannot be made.

    """
    if target.suffix in {".onnx", ".json"} and not target.is_dir():
        raise RunError(f"an export is a folder of several files; give --out a folder, not {target}")
    if target.exists() and not target.is_dir():
        raise RunError(f"{target} is a file; choose another --out")
    there = {path.name for path in target.iterdir()} if target.exists() else set()
    earlier = _earlier(target)
    if there and not earlier:
        raise RunError(f"{target} is not empty, and no earlier export; choose another --out")
    if others := sorted(there - earlier):
        raise RunError(f"{target} holds {others[0]} beside an earlier export; move it away, or choose another --out")
    if Path.cwd().is_relative_to(target.resolve()):
        raise RunError(f"{target} is the folder that the command runs in, and would be replaced; choose another --out")
    files.check_folder(target)
    return target


def _earlier(target: Path) -> set[str]:
    """The names of the files of the export that is in a folder; none where there is none."""
    try:
        known = json.loads((target / MARK).read_bytes())
        return {MARK, EXAMPLE, *(model["file"] for model in known["models"].values())} if "elman" in known else set()
    except (OSError, ValueError, LookupError, TypeError, AttributeError):  # another program's, or damaged
        return set()


def write(target: Path, contents: Mapping[str, bytes]) -> Path:
    """Write the files beside the target, then let the new folder take its place; RunError where that fails."""
    place = target.resolve()  # a link stays one
    files.make_folder(place.parent)
    fresh, old = (place.with_name(f".{place.name}.{os.getpid()}.{what}") for what in ("new", "old"))
    try:
        fresh.mkdir()
        for name, content in contents.items():
            (fresh / name).write_bytes(content)
        if place.exists():
            place.rename(old)
        fresh.rename(place)
    except OSError as error:
        raise RunError(f"cannot write {target}: {files.reason(error)}") from error
    finally:
        if old.exists() and not place.exists():
            old.rename(place)
        for left in (fresh, old):
            shutil.rmtree(left, ignore_errors=True)
    return target


def as_json(value: Any) -> bytes:
    """A value as JSON for people too: what has names line by line, lists of plain values in one line each."""
    return (_lines(value, "\n") + "\n").encode()


def _lines(value: Any, line: str) -> str:
    inner = line + "  "
    if isinstance(value, dict) and value:
        entries = (f"{_plain(str(name))}: {_lines(each, inner)}" for name, each in value.items())
        return "{" + inner + f",{inner}".join(entries) + line + "}"
    if isinstance(value, list) and any(isinstance(each, dict) for each in value):
        return "[" + inner + f",{inner}".join(_lines(each, inner) for each in value) + line + "]"
    return _plain(value)


def _plain(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
