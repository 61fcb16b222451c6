"""Names that are asked for: what stands for them in a registry, and which known one an unknown one is close to."""

import importlib
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

SHOWN = 12


class Entry(NamedTuple):
    """Where a class lives, "module:Class", and what it is for, so that lists and help need not import it."""

    place: str
    summary: str

    def make(self, room: str = "") -> Any:
        """Import the class, and make one of it; a place may leave out the room before the module."""
        module, _, name = self.place.partition(":")
        return getattr(importlib.import_module(room + module), name)()


def nearest(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """Return "; did you mean ...?" where a known name is close, and `otherwise` where none is."""
    found = get_close_matches(name, [*known], 1)
    return f"; did you mean {found[0]!r}?" if found else otherwise


def listed(known: Sequence[Any]) -> str:
    """Return "'a', 'b' and 7 more": of many the first SHOWN."""
    shown = ", ".join(repr(value) for value in known[:SHOWN])
    return shown + (f" and {len(known) - SHOWN} more" if len(known) > SHOWN else "")
