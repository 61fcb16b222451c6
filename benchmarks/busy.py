"""What becomes of a training loop beside another busy process: `python benchmarks/busy.py`, on Linux, in 3 minutes.

Training steps a second of LSTMs alone and beside a loop of Python in a session of its own: Elman's and torch.nn's, as
they come, in `elman.Waiting`, and with one thread. Ends in one line of JSON.
"""

import json
import statistics
import subprocess
import sys
import time
from contextlib import nullcontext

import torch

import elman

SHAPES = ((1, 100, 256, 256), (4, 100, 128, 512), (32, 50, 128, 128), (64, 50, 128, 256))
SECONDS = 6.0


def steps(kind, shape, wait=False, threads=None):
    """Training steps a second: the inverse of the median step in the second half of the time."""
    rows, length, inputs, hidden = shape
    torch.manual_seed(0)
    layer, x, before = kind(inputs, hidden), torch.randn(length, rows, inputs), torch.get_num_threads()
    torch.set_num_threads(threads or before)
    taken, begun = [], time.perf_counter()
    with elman.Waiting() if wait else nullcontext() as waiting:
        while (now := time.perf_counter()) - begun < SECONDS:
            layer.zero_grad()
            layer(x)[0].square().mean().backward()
            if wait:
                waiting.updated()
            taken.append(time.perf_counter() - now)
    torch.set_num_threads(before)
    return 1 / statistics.median(taken[len(taken) // 2 :])


def main():
    kinds = {"elman": elman.LSTM, "torch": torch.nn.LSTM}
    ways = {"": {}, " waiting": {"wait": True}, " one thread": {"threads": 1}}
    rows = []
    for shape in SHAPES:
        row = {"B,T,I,H": ",".join(map(str, shape))}
        row |= {f"{name} alone": steps(kind, shape) for name, kind in kinds.items()}
        other = subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True)
        try:
            time.sleep(0.5)
            row |= {name + way: steps(kind, shape, **how) for name, kind in kinds.items() for way, how in ways.items()}
        finally:
            other.kill()
            other.wait()
        rows.append(row)
        print(" | ".join(value if isinstance(value, str) else f"{name} {value:.3g}" for name, value in row.items()))
    print(json.dumps({"threads": torch.get_num_threads(), "torch": torch.__version__, "rows": rows}))


if __name__ == "__main__":
    main()
