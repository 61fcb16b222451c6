"""What a `with` block asks of the engine, here and now, and how torch.compile comes to know of it.

It does not know what is asked for.
"""

from contextlib import AbstractContextManager, ContextDecorator
from contextvars import ContextVar

import torch


class Asked:
    """A name that blocks ask for, each thread and task for itself; the innermost block counts.

    torch.compile cannot trace a ContextVar. It reads `last` instead, and compiles anew when that has changed.

    Attributes:
        last: what is asked for where a block was last entered or left, in whichever thread.

    """

    def __init__(self, name: str) -> None:
        self._here: ContextVar[tuple[str, ...]] = ContextVar(name, default=())  # the innermost last
        self.last: str | None = None

    def get(self) -> str | None:
        """What is asked for, or None outside of all blocks."""
        if torch.compiler.is_compiling():
            return self.last
        here = self._here.get()
        return here[-1] if here else None

    def enter(self, value: str) -> None:
        """Ask for it from here on."""
        self._set((*self._here.get(), value))

    def leave(self) -> None:
        """Ask for what was asked for before."""
        self._set(self._here.get()[:-1])

    def _set(self, here: tuple[str, ...]) -> None:
        self._here.set(here)
        self.last = here[-1] if here else None


class Block(ContextDecorator, AbstractContextManager[None]):
    """A `with` block that asks for a name; it can be entered again, inside itself and by several threads at once."""

    def __init__(self, asked: Asked, value: str) -> None:
        self._asked, self._value = asked, value

    def __enter__(self) -> None:
        self._asked.enter(self._value)

    def __exit__(self, *_: object) -> None:
        self._asked.leave()
