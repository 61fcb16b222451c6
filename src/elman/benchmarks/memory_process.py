"""The process that `memory` starts: training steps of one contender, and the peak of memory that they took.

    python -m elman.benchmarks.memory_process WHO CELL B,T,I,H THREADS FOLDER

Reads weights and x from FOLDER/problem.safetensors, prints one JSON line, and writes output and gradients to
FOLDER/answers.safetensors. What it need not import, it does not.
"""

import json
import math
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from elman.benchmarks import modules
from elman.benchmarks.base import Shape
from elman.benchmarks.problem import LAYERS

STEPS = 3
"""The first step leaves gradients and freed memory behind, which the next ones meet."""


def main(who: str, cell: str, shape: str, threads: str, folder: str) -> None:
    """Measure, write, print."""
    torch.set_num_threads(int(threads))
    start = time.perf_counter()
    weights = load_file(Path(folder) / "problem.safetensors")
    x, sizes = weights.pop("x").clone(), Shape.parse(shape)
    layer: nn.Module = LAYERS[cell](sizes.I, sizes.H)
    layer.load_state_dict(weights)
    del weights
    backend = "torch.nn"
    if who == "elman":
        from elman.layers import convert, explain

        layer = convert(layer)
        backend = explain(layer, x).backend
    work = modules.training(layer, lambda x: layer(x)[0], x)
    before = _status("VmRSS")
    for _ in range(STEPS):
        output = work.run()
    peak = _status("VmHWM")
    found = {"peak_mib": peak, "before_mib": before, "above_mib": peak - before, "backend": backend}
    save_file(
        {name: tensor.contiguous() for name, tensor in work.read(output).items()}, Path(folder) / "answers.safetensors"
    )
    print(json.dumps(found | {"seconds": time.perf_counter() - start}))  # noqa: T201  (its parent reads it)


def _status(name: str) -> float:
    """A figure of this process in MiB, from Linux; elsewhere the peak so far, on Windows unknown.

    getrusage alone would not do on Linux: a new process begins with the peak of the one that started it.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        if sys.platform == "win32":
            return math.nan
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
