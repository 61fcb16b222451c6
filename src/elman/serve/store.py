"""Where the states of streams lie when they are not in memory: a folder, or redis. Bytes by identifier.

It does not know what the bytes mean.
"""

import contextlib
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import IO

from elman import files
from elman.errors import RunError

HOUR = 3600.0
STREAMS = "[0-9a-f]" * 32 + ".safetensors"
"""The files of streams, as a pattern."""


class Store(ABC):
    """Keeps bytes by identifier, until `expire` days after they were last put.

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
    def remove(self, name: str) -> bool:
        """Forget a value; whether there was one."""


class FolderStore(Store):
    """A file for each stream.

    Args:
        folder: made if it is not there.
        expire: days.
        durable: whether a value has reached the disk when `put` returns; else it may be lost with the machine.

    """

    def __init__(self, folder: Path, expire: float, *, durable: bool = True) -> None:
        self._folder, self._expire, self._durable = files.make_folder(folder), expire, durable
        self._swept = 0.0
        self._lock = _locked(folder)

    def put(self, name: str, value: bytes) -> None:
        """Write the file, whole or not at all."""
        if time.time() - self._swept > HOUR:
            self._sweep()
        if self._durable:
            files.replace(self._path(name), lambda path: _write(path, value))
        else:
            _write(self._path(name), value)

    def get(self, name: str) -> bytes | None:
        """Read the file."""
        try:
            return self._path(name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise RunError(f"cannot read {self._path(name)}: {files.reason(error)}") from error

    def remove(self, name: str) -> bool:
        """Remove the file."""
        try:
            self._path(name).unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise RunError(f"cannot remove {self._path(name)}: {files.reason(error)}") from error
        return True

    def close(self) -> None:
        """Let another process have the folder."""
        self._lock.close()

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.safetensors"

    def _sweep(self) -> None:
        """Remove what has expired, also what a killed process left half-written; whatever else lies there stays."""
        self._swept = time.time()
        for path in [*self._folder.glob(STREAMS), *files.torn(self._folder, STREAMS)]:
            with contextlib.suppress(OSError):  # another request has removed it
                if self._swept - path.stat().st_mtime > 24 * HOUR * self._expire:
                    path.unlink()


def _write(path: Path, value: bytes) -> None:
    try:
        path.write_bytes(value)
    except OSError as error:
        raise RunError(f"cannot write {path}: {files.reason(error)}") from error


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
