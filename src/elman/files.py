"""Files are written whole or not at all; a leaf.

Whatever is written goes to a temporary file beside the target, is flushed to the disk, and takes the target's name in
one step, so that a crash, a full disk or `kill -9` leaves the old content or the new one and never a part.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from elman.errors import RunError


def replace(target: Path, write: Callable[[Path], None]) -> Path:
    """Let `write` fill a temporary file, then give it the name `target`.

    Raises RunError, naming the target and the system's reason, when the folder cannot be written or the disk is full.
    """
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        temporary.touch()
        write(temporary)
        with temporary.open("r+b") as file:  # Windows flushes what may be written to
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        raise RunError(f"cannot write {target}: {reason(error)}") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    return target


def write_bytes(target: Path, content: bytes) -> Path:
    """Write `content`, whole or not at all."""

    def write(path: Path) -> None:
        path.write_bytes(content)

    return replace(target, write)


def write_text(target: Path, text: str) -> Path:
    """Write `text` as UTF-8, whole or not at all."""
    # Of a file name that is not UTF-8, half a surrogate pair comes here: written as \udce9, as JSON has it.
    return write_bytes(target, text.encode("utf-8", "backslashreplace"))


def write_json(target: Path, value: Any) -> Path:
    """Write `value` as indented JSON, whole or not at all."""
    return write_text(target, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects in a file of JSON lines, none where it is gone; a line that a kill has cut off is left out."""
    if not path.is_file():
        return
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                value = json.loads(line)
            except ValueError:
                continue
            if isinstance(value, dict):
                yield value


def make_folder(folder: Path) -> Path:
    """Make `folder` and its parents; RunError with the system's reason when that is impossible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"cannot make the folder {folder}: {reason(error)}; choose another one") from error
    return folder


def lock(path: Path) -> IO[str]:
    """Open a file, made if it is not there, that is held for this process alone until it is closed.

    Where the system, or the file system, has no locks, it is held for nobody.

    Raises:
        BlockingIOError: if another process holds it.
        OSError: if it cannot be written.

    """
    file = path.open("w", encoding="utf-8")
    try:
        _hold(file.fileno())
    except BlockingIOError:
        file.close()
        raise
    except (ModuleNotFoundError, OSError):
        pass
    return file


def _hold(descriptor: int) -> None:
    """Raise BlockingIOError where another process holds the file."""
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError(*error.args) from error
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def torn(folder: Path, name: str = "*") -> list[Path]:
    """What `replace` is writing for targets of that name (a pattern), or was in processes that were killed."""
    return [*folder.glob(f".{name}.[0-9]*.tmp")]


def check_folder(folder: Path) -> None:
    """Raise what `make_folder` would, as far as it can be told without making anything.

    Raises:
        RunError: if the nearest thing that exists is no folder, or cannot be written to.

    """
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        why = "permission denied" if there.is_dir() else f"{there} is a file"
        raise RunError(f"cannot make the folder {folder}: {why}; choose another one")


def check_writable(target: Path) -> None:
    """Raise RunError where `replace` could not write `target`, as far as it can be told without writing."""
    if target.is_dir():
        raise RunError(f"cannot write {target}: is a directory")
    if not target.parent.is_dir():
        raise RunError(f"cannot write {target}: there is no folder {target.parent}; make it first")
    if not os.access(target.parent, os.W_OK):
        raise RunError(f"cannot write {target}: permission denied")


def reason(error: OSError) -> str:
    """Return the system's own words for an error, in lower case: "no space left on device"."""
    return (error.strerror or str(error)).lower()
