"""Names: what stands for them in a registry, which known one an unknown one is close to, and how messages tell them."""

import importlib
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

SHOWN, FEW = 12, 5


class Entry(NamedTuple):
    """Where a class lives, "module:Class", and what it is for, so that lists and help need not import it."""

    place: str
    summary: str

    def make(self, room: str = "") -> Any:
        """Import the class, and make one of it; a place may leave out the room before the module."""
        module, _, name = self.place.partition(":")
        return getattr(importlib.import_module(room + module), name)()


def flag(option: str) -> str:
    """Return what the command line calls an option: --held-out, of held_out."""
    return f"--{option.replace('_', '-')}"


def nearest(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """Return "; did you mean ...?" where a known name is close, and `otherwise` where none is."""
    found = get_close_matches(name, [*known], 1)
    return f"; did you mean {found[0]!r}?" if found else otherwise


def listed(known: Sequence[Any]) -> str:
    """Return "'a', 'b' and 7 more": of many the first SHOWN."""
    shown = ", ".join(repr(value) for value in known[:SHOWN])
    return shown + (f" and {len(known) - SHOWN} more" if len(known) > SHOWN else "")


def first_few(values: Sequence[Any]) -> str:
    """Return "'a', 'b', ...": the first FEW, and nothing of how many there are."""
    return ", ".join(map(repr, values[:FEW])) + ", ..." * (len(values) > FEW)
