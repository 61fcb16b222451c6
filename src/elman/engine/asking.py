"""What a `with` block asks of the engine, here and now, and how torch.compile comes to know of it.

It does not know what is asked for.
"""

from contextlib import AbstractContextManager, ContextDecorator
from contextvars import ContextVar, Token

import torch


class Asked:
    """A name that blocks ask for, each thread and task for itself; the innermost block counts.

    torch.compile cannot trace a ContextVar. It reads `last` instead, and compiles anew when that has changed.

    Attributes:
        last: what is asked for where a block was last entered or left, in whichever thread.

    """

    def __init__(self, name: str) -> None:
        self._here: ContextVar[str | None] = ContextVar(name, default=None)
        self.last: str | None = None

    def get(self) -> str | None:
        """What is asked for, or None outside of all blocks."""
        return self.last if torch.compiler.is_compiling() else self._here.get()

    def set(self, value: str | None) -> Token[str | None]:
        """Ask for it from here on."""
        token = self._here.set(value)
        self.last = value
        return token

    def reset(self, token: Token[str | None]) -> None:
        """Ask for what was asked for before."""
        self._here.reset(token)
        self.last = self._here.get()


class Block(ContextDecorator, AbstractContextManager[None]):
    """A `with` block that asks for a name; it can be entered again, inside itself too."""

    def __init__(self, asked: Asked, value: str) -> None:
        self._asked, self._value = asked, value
        self._tokens: list[Token[str | None]] = []

    def __enter__(self) -> None:
        self._tokens.append(self._asked.set(self._value))

    def __exit__(self, *_: object) -> None:
        self._asked.reset(self._tokens.pop())
