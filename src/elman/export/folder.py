"""The folder of an export: written whole or not at all.

It does not know what is in the files.
"""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from elman import files
from elman.errors import RunError

MARK = "model.json"
"""The file that tells an earlier export from anything else."""


def checked(target: Path) -> Path:
    """Return the folder, if it can be made and nothing else would be overwritten.

    Raises:
        RunError: if it is a file, holds anything else than an earlier export, or cannot be made.

    """
    if target.suffix in {".onnx", ".json"} and not target.is_dir():
        raise RunError(f"an export is a folder of several files; give --out a folder, not {target}")
    if target.exists() and not target.is_dir():
        raise RunError(f"{target} is a file; choose another --out")
    if target.exists() and any(target.iterdir()) and not (target / MARK).exists():
        raise RunError(f"{target} is not empty, and no earlier export; choose another --out")
    files.check_folder(target)
    return target


def write(target: Path, contents: Mapping[str, bytes]) -> Path:
    """Write the files beside the target, then let the new folder take its place; RunError where that fails."""
    files.make_folder(target.parent)
    fresh, old = (target.with_name(f".{target.name}.{os.getpid()}.{what}") for what in ("new", "old"))
    try:
        fresh.mkdir()
        for name, content in contents.items():
            (fresh / name).write_bytes(content)
        if target.exists():
            target.rename(old)
        fresh.rename(target)
    except OSError as error:
        raise RunError(f"cannot write {target}: {files.reason(error)}") from error
    finally:
        if old.exists() and not target.exists():
            old.rename(target)
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
