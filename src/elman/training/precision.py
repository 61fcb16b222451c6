"""Which number format the matmuls of training use. Weights, gradients and the optimizer stay float32."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd

from elman import engine
from elman.engine.native.library import multiply
from elman.machine import has_matrix_units

TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
FASTER = 1.5
SIZE = 1024
LARGE = 1 << 18
"""Weights of linear layers that are worth a product in bfloat16 by torch, whose kernel is made anew, in a fifth of a
millisecond, for every shape. A translator's step takes 43 ms by it, beside 65 where only the recurrent layers have
bfloat16, and 70 in float32; a model of chorales, with small layers and ever new shapes, 12.8 ms beside 8.6 and 9.5."""


def resolve(wanted: str, device: torch.device) -> str:
    """Return "float32" or "bfloat16": the wanted one, or for "auto" bfloat16 where the device gains by it.

    On a CPU "auto" times a matmul in both formats: processors with matrix units for bfloat16 (AMX) are about six
    times faster in it, those with products of it (AVX512-BF16) up to twice, those that emulate it are slower. A gain
    of less than 1.5 is not worth the lost digits.
    """
    if wanted != "auto":
        return wanted
    return "bfloat16" if gain(device) > FASTER else "float32"


def matmuls(kind: str, device: torch.device, module: nn.Module) -> Callable[[], AbstractContextManager[object]]:
    """Return what makes a context in which the matmuls of a network are done in `kind`.

    With products of bfloat16, the recurrent layers alone take them unless there is much for torch to multiply too:
    convolutions, or LARGE linear layers.
    """
    if kind == "bfloat16" and _by_the_engine(device) and not _much_beside(module):
        return partial(engine.precision, kind)
    return partial(torch.autocast, device.type, TYPES[kind], enabled=kind != "float32")


def _much_beside(module: nn.Module) -> bool:
    linear = [each.weight.numel() for each in module.modules() if isinstance(each, nn.Linear)]
    return sum(linear) >= LARGE or any(isinstance(each, _ConvNd) for each in module.modules())


def gain(device: torch.device) -> float:
    """Return how many times faster a matmul is in bfloat16 than in float32."""
    if device.type == "cuda":
        return 2.0 if torch.cuda.is_bf16_supported() else 1.0
    a, b, out = torch.ones(3, SIZE, SIZE, device=device).unbind()
    if _by_the_engine(device):  # one thread's own time, which is the same whatever else the machine does
        alone = partial(multiply, a, b, out, threads=1)
        return _seconds(alone, time.thread_time) / _seconds(partial(alone, pairs=True), time.thread_time)
    return _seconds(partial(torch.mm, a, b)) / _seconds(partial(torch.mm, a.bfloat16(), b.bfloat16()))


def _by_the_engine(device: torch.device) -> bool:
    return device.type == "cpu" and engine.multiplies_bfloat16() and not has_matrix_units()


def _seconds(run: Callable[[], Any], clock: Callable[[], float] = time.perf_counter) -> float:
    times = []
    for _ in range(4):
        start = clock()
        run()
        times.append(clock() - start)
    return min(times)
