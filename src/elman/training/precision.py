"""Which number format the matmuls of training use. Weights, gradients and the optimizer stay float32."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import torch
from accelerate import Accelerator

from elman import engine
from elman.engine.native.library import multiply
from elman.machine import has_matrix_units

TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
FASTER = 1.5
SIZE = 1024


def resolve(wanted: str) -> str:
    """Return "float32" or "bfloat16": the wanted one, or for "auto" bfloat16 where this machine gains by it.

    On a CPU "auto" times a matmul in both formats: processors with matrix units for bfloat16 (AMX) are about six
    times faster in it, those with products of it (AVX512-BF16) up to twice, those that emulate it are slower. A gain
    of less than 1.5 is not worth the lost digits.
    """
    if wanted != "auto":
        return wanted
    return "bfloat16" if gain(Accelerator().device) > FASTER else "float32"


def matmuls(kind: str, device: torch.device) -> AbstractContextManager[object]:
    """Run a block with its matmuls in `kind`.

    With products of bfloat16, only the recurrent layers take them: what torch does beside these, on batches of ever
    new shapes, takes longer in bfloat16 than in float32.
    """
    if kind == "bfloat16" and _by_the_engine(device):
        return engine.precision(kind)
    return torch.autocast(device.type, TYPES[kind], enabled=kind != "float32")


def gain(device: torch.device) -> float:
    """Return how many times faster a matmul is in bfloat16 than in float32."""
    if device.type == "cuda":
        return 2.0 if torch.cuda.is_bf16_supported() else 1.0
    a, b, out = torch.ones(3, SIZE, SIZE, device=device).unbind()
    if _by_the_engine(device):
        return _seconds(partial(multiply, a, b, out)) / _seconds(partial(multiply, a, b, out, pairs=True))
    return _seconds(partial(torch.mm, a, b)) / _seconds(partial(torch.mm, a.bfloat16(), b.bfloat16()))


def _by_the_engine(device: torch.device) -> bool:
    return device.type == "cpu" and engine.multiplies_bfloat16() and not has_matrix_units()


def _seconds(run: Callable[[], Any]) -> float:
    times = []
    for _ in range(4):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)
