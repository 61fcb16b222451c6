"""What a run folder says of a run, read as it was found: every part may be absent, a killed run's files too.

It does not know what the entries mean.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from elman import files
from elman.errors import RunError

Entry = dict[str, Any]


@dataclass(frozen=True)
class Record:
    """The content of run.json, and the lines of metrics.jsonl sorted by kind, each kind with its steps rising."""

    folder: Path
    run: Entry
    points: list[Entry]
    validations: list[Entry]
    diagnoses: list[Entry]

    def get(self, *names: str) -> Any:
        """The entry of run.json under these names, one inside the other; None where any is absent."""
        value: Any = self.run
        for name in names:
            value = value.get(name) if isinstance(value, dict) else None
        return value

    def part(self, *names: str) -> Entry:
        """The same for an entry that has entries of its own: empty where it is absent."""
        value = self.get(*names)
        return value if isinstance(value, dict) else {}

    def each(self, *names: str) -> list[Any]:
        """The same for an entry that is a list: empty where it is absent."""
        return listed(self.get(*names))

    def baselines(self, split: str = "valid") -> list[Entry]:
        """The naive baselines' scores on a part of the data; older runs have one, not in a list."""
        found = self.get("baselines", split) or (self.get("baseline") if split == "valid" else None)
        return [entry for entry in (found if isinstance(found, list) else [found]) if isinstance(entry, dict) and entry]

    def number(self, *names: str) -> float | None:
        """The same for a number: None where it is absent or not finite."""
        value = self.get(*names)
        return value if is_number(value) else None

    @property
    def counted(self) -> str:
        """What the network learns from one at a time, in the plural; older runs do not say."""
        noun = self.get("counted")
        return noun if isinstance(noun, str) and noun else "symbols"


def is_number(value: Any) -> TypeGuard[float]:
    """Whether a value of a JSON file is a number that can be drawn."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def are_numbers(values: Any) -> TypeGuard[list[float]]:
    """Whether a value of a JSON file is a list of such numbers."""
    return isinstance(values, list) and all(map(is_number, values))


def listed(value: Any) -> list[Any]:
    """A value of a JSON file that is a list; empty where it is none."""
    return value if isinstance(value, list) else []


def has_lists(entry: Any, *names: str) -> TypeGuard[Entry]:
    """Whether a value of a JSON file is an entry with a list under each of these names."""
    return isinstance(entry, dict) and all(isinstance(entry.get(name), list) for name in names)


def read(folder: Path) -> Record:
    """Read a run folder.

    Raises:
        RunError: there is no run.json, or it is not one.
    """
    record = Record(folder, _read_run(folder / "run.json"), [], [], [])
    for entry in files.json_lines(folder / "metrics.jsonl"):
        if not is_number(entry.get("step")):
            continue
        if entry.get("event") == "diagnosis":
            record.diagnoses.append(entry)
            continue
        for name, entries in (("loss", record.points), ("valid_loss", record.validations)):
            if isinstance(entry.get(name), int | float):
                _forget(entries, entry["step"])
                entries.append(entry)
    return record


def _read_run(path: Path) -> Entry:
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{path.parent} holds no run.json: give the folder that `elman train --out` wrote") from None
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read ({error}): restore it, or train again") from error
    if not isinstance(run, dict):
        raise RunError(f"{path} holds no object: restore it, or train again")
    return run


def _forget(entries: list[Entry], step: float) -> None:
    """Drop what was written about steps that were then made again."""
    while entries and entries[-1]["step"] >= step:
        entries.pop()
