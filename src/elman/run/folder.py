"""The layout of a run folder, and its description `run.json`; never a pickle.

run.json            schema version, task, options, data, machine, scores
model.safetensors   the best weights
metrics.jsonl       one line per record of training
report.html         what came of it, for people
state/              what --resume and `elman evaluate` need: the checkpoint, the data as symbols
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from elman import files
from elman.errors import RunError, UsageError
from elman.version import VERSION

SCHEMA = 1
Description = dict[str, Any]
NEEDED = {"data": dict, "modalities": dict, "options": dict, "task": str}
"""What every description has, and of what kind."""


@dataclass(frozen=True)
class RunFolder:
    """Where everything of a run lies."""

    path: Path

    @property
    def description(self) -> Path:
        """`run.json`."""
        return self.path / "run.json"

    @property
    def model(self) -> Path:
        """`model.safetensors`."""
        return self.path / "model.safetensors"

    @property
    def metrics(self) -> Path:
        """`metrics.jsonl`."""
        return self.path / "metrics.jsonl"

    @property
    def report(self) -> Path:
        """`report.html`."""
        return self.path / "report.html"

    @property
    def state(self) -> Path:
        """`state/`."""
        return self.path / "state"

    @property
    def checkpoint(self) -> Path:
        """The state of training that `--resume` goes on from."""
        return self.state / "checkpoint.safetensors"

    @property
    def pretrained(self) -> Path:
        """The weights that training begins with, where those are another run's."""
        return self.state / "pretrained.safetensors"

    @property
    def lock(self) -> Path:
        """What the process that trains here holds."""
        return self.state / ".held"

    @property
    def barely_begun(self) -> bool:
        """Whether nothing lies here but data whose preparation is not done, and perhaps was killed."""
        if {*self.path.iterdir()} - {*self._torn()} != {self.state} or not self.state.is_dir():
            return False
        return self.lock.exists() or not any(self.state.iterdir())

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes from training in this folder while a block runs, where the file system has locks.

        What an earlier process was writing when it was killed is removed.

        Raises:
            RunError: if another one does, or if the folder cannot be written to.

        """
        try:
            lock = files.lock(self.lock)
        except BlockingIOError as error:
            raise RunError(
                f"another process trains in {self.path}; wait for it, end it, or choose another --out"
            ) from error
        except OSError as error:
            raise RunError(f"cannot write {self.lock}: {files.reason(error)}") from error
        with lock:
            for path in self._torn():
                path.unlink(missing_ok=True)
            yield

    def clear(self) -> None:
        """Remove the data whose preparation was killed, while the folder is held."""
        for path in self.state.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path != self.lock:
                path.unlink()

    def _torn(self) -> list[Path]:
        """What this or a killed process has not written to its end."""
        written = (self.description, self.model, self.metrics, self.report)
        return [path for file in written for path in files.torn(self.path, file.name)] + files.torn(self.state)

    def write(self, description: Description) -> None:
        """Write `run.json`, whole or not at all."""
        files.write_json(self.description, {"schema": SCHEMA, "elman": VERSION} | description)

    def read(self) -> Description:
        """Read `run.json`; RunError when it is missing, damaged, or written by a newer version."""
        if self.path.is_file():
            raise RunError(f"{self.path} is a file, and a run is a folder, which `elman train` makes; name that")
        if not self.path.is_dir():
            raise RunError(f"there is no run folder {self.path}; `elman train` makes one")
        try:
            text = self.description.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            if self.barely_begun:
                raise RunError(
                    f"{self.path} holds no run yet: its data is being prepared, or that was ended before it was done; "
                    "train it anew, without --resume"
                ) from error
            raise RunError(f"{self.path} is not a run: it has no run.json") from error
        except OSError as error:
            raise RunError(f"cannot read {self.description}: {files.reason(error)}") from error
        except UnicodeDecodeError as error:
            raise RunError(f"{self.description} is damaged; restore it, or train the run anew") from error
        return self._check(text)

    def _check(self, text: str) -> Description:
        try:
            description = json.loads(text)
            schema = int(description["schema"])
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise RunError(f"{self.description} is damaged; restore it, or train the run anew") from error
        if schema > SCHEMA:
            raise RunError(
                f"{self.path} was written by Elman {description.get('elman', '?')} (schema {schema}), newer than "
                f"this one ({VERSION}, schema {SCHEMA}); upgrade with: pip install --upgrade elman"
            )
        if missing := [name for name, kind in NEEDED.items() if not isinstance(description.get(name), kind)]:
            raise RunError(f"{self.description} is damaged: it lacks {', '.join(missing)}; train the run anew")
        return dict(description)


def create(path: Path) -> RunFolder:
    """Make a new run folder; RunError where it would overwrite anything."""
    if path.exists() and not path.is_dir():
        raise RunError(f"{path} is a file; choose another --out")
    folder = RunFolder(path)
    if folder.description.exists():
        raise RunError(f"{path} already holds a run; continue it with --resume, or choose another --out")
    if path.exists() and any(path.iterdir()) and not folder.barely_begun:
        raise RunError(f"{path} is not empty; choose another --out")
    files.make_folder(path)
    files.make_folder(folder.state)
    return folder


def folder_path(path: Any, said: str) -> Path:
    """Return what was given as the path of a folder, in errors called `said`; UsageError where it cannot be one."""
    if not isinstance(path, str | PathLike):
        raise UsageError(f"{said} must be the path of a folder, got {path!r:.60}")
    found = Path(path)
    try:
        found.stat()  # of names that are too long, `exists` says no more since Python 3.14 than that they are not there
    except (FileNotFoundError, NotADirectoryError):
        return found
    except OSError as error:
        raise UsageError(f"{said} cannot be the folder {str(path)[:60]!r}...: {files.reason(error)}") from error
    return found


def unused(stem: str) -> Path:
    """Make the first folder of the form runs/tinyshakespeare-1 that is not there yet."""
    runs, number = files.make_folder(Path("runs")), 1
    while True:
        path = runs / f"{stem}-{number}"
        try:
            path.mkdir()  # at once, so that two that begin together do not take the same
        except FileExistsError:
            number += 1
        except OSError as error:
            raise RunError(f"cannot make the folder {path}: {files.reason(error)}; give --out") from error
        else:
            return path
