"""Where the states of streams lie when they are not in memory. Bytes by run and identifier.

It does not know what the bytes mean, but that the fingerprint of their run is somewhere in them.
"""

import contextlib
import sqlite3
import threading
import time
import weakref
from abc import ABC, abstractmethod
from pathlib import Path
from typing import IO, Any

from elman import files
from elman.errors import RunError

HOUR = 3600.0
DAY = 24 * HOUR
SHORT = 16
"""Digits of a run's fingerprint that stand in names of files and keys."""
DIGIT = "[0-9a-f]"
STREAMS = (f"{DIGIT * 32}-{DIGIT * SHORT}.safetensors", f"{DIGIT * 32}.safetensors")
"""The files of streams, as patterns: with the run, and as they were before runs stood in their names."""


class Store(ABC):
    """Keeps bytes of one run by identifier, until `expire` days after they were last put; those of others are not seen.

    Attributes:
        shared: whether others put and remove there too, so that nothing of it may be remembered.

    """

    shared = False

    @abstractmethod
    def put(self, name: str, value: bytes) -> None:
        """Keep a value, in the place of an older one; RunError where that fails."""

    def replace(self, name: str, value: bytes, before: bytes) -> bool:
        """Keep a value in the place of `before`; whether that was still there, which only others can have changed."""
        del before
        self.put(name, value)
        return True

    @abstractmethod
    def get(self, name: str) -> bytes | None:
        """Return a value, None where there is none."""

    @abstractmethod
    def close(self) -> None:
        """Leave the place to others."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Forget a value, if there is one."""


class FolderStore(Store):
    """A file for each stream.

    Args:
        folder: made if it is not there.
        expire: days.
        run: the fingerprint of the run whose streams they are.

    """

    def __init__(self, folder: Path, expire: float, run: str) -> None:
        self._folder, self._expire, self._run = files.make_folder(folder), expire, run
        self._swept = 0.0
        self._lock = _locked(folder)

    def put(self, name: str, value: bytes) -> None:
        """Write the file, whole or not at all."""
        if time.time() - self._swept > HOUR:
            self._sweep()
        files.write_bytes(self._path(name), value)

    def get(self, name: str) -> bytes | None:
        """Read the file."""
        found, old = _read(self._path(name)), self._folder / f"{name}.safetensors"
        if found is None and (found := _read(old)) is not None:
            if self._run.encode() not in found:
                return None
            try:
                old.rename(self._path(name))
            except OSError as error:
                raise RunError(f"cannot rename {old}: {files.reason(error)}") from error
        return found

    def remove(self, name: str) -> None:
        """Remove the file."""
        try:
            self._path(name).unlink(missing_ok=True)
        except OSError as error:
            raise RunError(f"cannot remove {self._path(name)}: {files.reason(error)}") from error

    def close(self) -> None:
        """Let another process have the folder."""
        self._lock.close()

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}-{self._run[:SHORT]}.safetensors"

    def _sweep(self) -> None:
        """Remove what has expired, also what a killed process left half-written; whatever else lies there stays."""
        self._swept = time.time()
        for path in (path for each in STREAMS for path in [*self._folder.glob(each), *files.torn(self._folder, each)]):
            with contextlib.suppress(OSError):  # another request has removed it
                if self._swept - path.stat().st_mtime > DAY * self._expire:
                    path.unlink()


class TemporaryStore(Store):
    """A database without a name, for one run and one process: however that ends, nothing of it is left.

    sqlite.org/inmemorydb.html, "Temporary Databases": what does not fit into its cache goes to a file that is deleted
    when it is opened.

    Args:
        expire: days.

    """

    def __init__(self, expire: float) -> None:
        self._expire, self._turn = expire, threading.Lock()
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._end = weakref.finalize(self, self._database.close)
        self._do("CREATE TABLE streams (name TEXT PRIMARY KEY, value BLOB, put REAL)")
        self._do("CREATE INDEX age ON streams (put)")

    def put(self, name: str, value: bytes) -> None:
        """Set the row, and delete those that have expired."""
        self._do("DELETE FROM streams WHERE put < ?", time.time() - DAY * self._expire)
        self._do("REPLACE INTO streams VALUES (?, ?, ?)", name, value, time.time())

    def get(self, name: str) -> bytes | None:
        """Read the row."""
        found = self._do("SELECT value FROM streams WHERE name = ?", name)
        return found[0][0] if found else None

    def remove(self, name: str) -> None:
        """Delete the row."""
        self._do("DELETE FROM streams WHERE name = ?", name)

    def close(self) -> None:
        """Forget all."""
        self._end()

    def _do(self, command: str, *values: object) -> list[Any]:
        """Return the rows that are found."""
        try:
            with self._turn:
                return self._database.execute(command, values).fetchall()
        except sqlite3.Error as error:
            raise RunError(f"cannot put streams aside ({error}); make room in the temporary folder") from error


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunError(f"cannot read {path}: {files.reason(error)}") from error


def _locked(folder: Path) -> IO[str]:
    """Hold a folder for this process alone, until what is returned is closed.

    Raises:
        RunError: if another process holds it: what one remembers of a stream, the other would not know.

    """
    try:
        return files.lock(folder / ".lock")
    except BlockingIOError as error:
        raise RunError(f"the streams in {folder} are served by another process; choose another --store") from error
    except OSError as error:
        raise RunError(f"cannot write to the folder {folder}: {files.reason(error)}; choose another --store") from error
