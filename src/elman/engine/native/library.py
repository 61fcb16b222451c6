"""The C++ runtime as a Python module, made ready: instruction set, torch's threads, memory.

It does not know what the runtime runs.
"""

import ctypes
import math
import os
from functools import cache
from typing import Any

import torch
from torch import Tensor

from elman.engine import openmp
from elman.engine.extension import native as _native
from elman.engine.watching import untraced
from elman.errors import UsageError

SMALL = 4096
"""So many numbers are worth no block of the runtime's."""

_CPU = torch.device("cpu")

_WIDEST = 4
"""The vectors of a panel: as many as there are registers for, where that is fewer."""


@untraced
def library() -> Any:
    """The runtime, made ready; None if it is not there (`extension.missing` says why)."""
    if _native is not None:
        _prepare()
    return _native


@cache
def _prepare() -> None:
    forced = os.environ.get("ELMAN_ISA")
    if forced:
        try:
            _native.select_instruction_set(forced)
        except ValueError as error:
            raise UsageError(f"ELMAN_ISA: {error}") from error
    _use_torchs_team()


def _use_torchs_team() -> None:
    """Run in the threads that torch runs in."""
    names = ("GOMP_parallel", "omp_get_thread_num", "omp_get_num_threads")
    found = openmp.torchs(*names)
    if found is not None:
        _native.use_team(*(ctypes.cast(getattr(found, name), ctypes.c_void_p).value or 0 for name in names))


def numbers(dtype: torch.dtype) -> Any:
    """What the runtime has for one type of number."""
    return _native.float32 if dtype == torch.float32 else _native.float64


def multiply(a: Tensor, b: Tensor, out: Tensor, *, pairs: bool = False, threads: int | None = None) -> None:
    """Write a @ b, float32 and contiguous, as the engine's kernels make it; in `pairs`, of both rounded to bfloat16."""
    sizes = (len(a), len(b), b.shape[1])
    addresses = (a.data_ptr(), b.data_ptr(), out.data_ptr())
    _native.float32.matmul(*addresses, *sizes, False, _WIDEST, threads or torch.get_num_threads(), pairs)


def memory(shape: tuple[int, ...], like: Tensor) -> Tensor:
    """An uninitialised tensor on memory from the runtime's cache, which it goes back to when the last view ends.

    A small one is torch's, which has pages at hand for it and takes half the time. It is no view, so that autograd lets
    whoever is given it change it in place.
    """
    count = math.prod(shape)
    if count < SMALL:
        return torch.empty(shape, dtype=like.dtype, device=_CPU)  # `new_empty` would be batched as `like` may be
    block = _native.Workspace(count * like.element_size())
    return torch.frombuffer(block, dtype=like.dtype, count=count).resize_(shape)
