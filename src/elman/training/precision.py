"""Which number format the matmuls of training use. Weights, gradients and the optimizer stay float32."""

import time
from contextlib import AbstractContextManager

import torch
from accelerate import Accelerator

TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
FASTER = 1.8


def resolve(wanted: str) -> str:
    """Return "float32" or "bfloat16": the wanted one, or for "auto" bfloat16 where this machine gains by it.

    On a CPU "auto" times a matmul in both formats: processors with matrix units for bfloat16 (AMX) are about six
    times faster in it, those that emulate it are slower. A gain of less than 1.8 is not worth the lost digits.
    """
    if wanted != "auto":
        return wanted
    return "bfloat16" if gain(Accelerator().device) > FASTER else "float32"


def matmuls(kind: str, device: torch.device) -> AbstractContextManager[object]:
    """Run a block with its matmuls in `kind`."""
    return torch.autocast(device.type, TYPES[kind], enabled=kind != "float32")


def gain(device: torch.device) -> float:
    """Return how many times faster a matmul is in bfloat16 than in float32."""
    if device.type == "cuda":
        return 2.0 if torch.cuda.is_bf16_supported() else 1.0
    single, half = (torch.ones(1024, 1024, dtype=kind, device=device) for kind in (torch.float32, torch.bfloat16))
    return _seconds(single) / _seconds(half)


def _seconds(matrix: torch.Tensor) -> float:
    times = []
    for _ in range(4):
        start = time.perf_counter()
        _ = matrix @ matrix
        times.append(time.perf_counter() - start)
    return min(times)
