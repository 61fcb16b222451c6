"""The error of a step that cannot be compiled: what stands in the way, and where.

Internal: the engine turns it into one sentence and runs the reference.
"""

import inspect
import sys
from pathlib import Path
from types import FrameType

import torch

from elman.cells import Weights

_NOT_THE_USERS = (Path(__file__).parent, Path(torch.__file__).parent, Path(inspect.getfile(Weights)))


class UntraceableError(Exception):
    """A step does something that the engine has no operation for, such as "torch.cumsum" or "a branch on a value".

    Attributes:
        file: the user's source file, and
        line: the line in it; None if unknown.

    """

    def __init__(
        self, operation: str, reason: str = "", frame: FrameType | None = None, *, located: bool = True
    ) -> None:
        # sys._getframe is the documented way to the caller's line.
        user = _users_frame(frame or sys._getframe(1)) if located else None  # noqa: SLF001
        self.file = user.f_code.co_filename if user else None
        self.line = user.f_lineno if user else None
        where = f" ({Path(self.file).name}, line {self.line})" if self.file else ""
        super().__init__(f"{operation}{where} {reason or 'is not among the operations that a program can contain'}")


def _users_frame(frame: FrameType | None) -> FrameType | None:
    """The innermost frame that is not of this room, of torch, or of the maps that weights offer."""
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if not any(path.is_relative_to(other) for other in _NOT_THE_USERS):
            return frame
        frame = frame.f_back
    return None
