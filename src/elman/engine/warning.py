"""Warnings that point at the user's own line, and are given once.

It knows nothing of what is warned about.
"""

import sys
import warnings

import torch

from elman.errors import FallbackWarning

_given: set[str] = set()


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the nearest caller outside of Elman, torch and what they are called through."""
    level, frame = 2, sys._getframe(1)  # noqa: SLF001  (warnings can skip files by itself only from Python 3.12 on)
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] in {"elman", "torch", "functools"}:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def warn_once(reason: str) -> None:
    """Give a FallbackWarning, the first time that there is this reason."""
    if reason not in _given and not torch.compiler.is_compiling():
        _given.add(reason)
        warn(reason, FallbackWarning)
