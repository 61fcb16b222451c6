"""How layers go faster with more threads, beside torch.nn: python benchmarks/threads.py [THREADS ...]

A training step and a forward pass of LSTM and GRU, both libraries in turn in one process; medians in milliseconds, and
how many times longer torch takes. Without arguments 1, 2, 4, ... up to the number of cores.
"""

import statistics
import sys
import time

import torch

import elman
from elman import machine

SHAPES = (
    (16, 100, 64, 128),
    (32, 100, 128, 256),
    (64, 50, 256, 512),
    (128, 64, 64, 64),
    (20, 35, 640, 640),
    (1, 100, 64, 128),
    (256, 100, 128, 256),
)
"""(B, T, I, H)."""

SECONDS, LEAST, MOST, MATMUL = 0.3, 4, 60, 2048


def train(layer, input):
    """One training step without its update."""
    layer.zero_grad(set_to_none=True)
    layer(input)[0].sum().backward()


@torch.no_grad()
def forward(layer, input):
    """One pass without gradients."""
    layer(input)


def medians(run, layers, input):
    """The median milliseconds of each layer, run in turn; the first round is left out."""
    times = [[] for _ in layers]
    end = time.perf_counter() + SECONDS
    while len(times[0]) < LEAST or (time.perf_counter() < end and len(times[0]) < MOST):
        for layer, taken in zip(layers, times, strict=True):
            begin = time.perf_counter()
            run(layer, input)
            taken.append(1e3 * (time.perf_counter() - begin))
    return [statistics.median(taken[1:]) for taken in times]


def matmul():
    """The speed of a large matrix product, in 1e9 operations per second."""
    a, b = torch.randn(2, MATMUL, MATMUL).unbind()
    times = []
    for _ in range(6):
        begin = time.perf_counter()
        torch.mm(a, b)
        times.append(time.perf_counter() - begin)
    return 2 * MATMUL**3 / min(times) / 1e9


def main(counts):
    """Print the table."""
    print(f"{machine.facts()['cpu']}, {machine.cores()} cores, torch {torch.__version__}; Elman ms / torch ms (ratio)")
    for count in counts:
        torch.set_num_threads(count)
        print(f"{count} threads: a matrix product runs at {matmul():.0f} GFLOP/s")
    print("| cell | pass | B,T,I,H |" + "".join(f" {count} |" for count in counts))
    print("|---" * (3 + len(counts)) + "|")
    for name in ("LSTM", "GRU"):
        for shape in SHAPES:
            rows, steps, inputs, hidden = shape
            layers = [getattr(library, name)(inputs, hidden) for library in (elman, torch.nn)]
            input = torch.randn(steps, rows, inputs)
            for run in (train, forward):
                cells = []
                for count in counts:
                    torch.set_num_threads(count)
                    own, other = medians(run, layers, input)
                    cells.append(f" {own:.2f} / {other:.2f} ({other / own:.2f}) |")
                print(f"| {name} | {run.__name__} | {','.join(map(str, shape))} |{''.join(cells)}", flush=True)


if __name__ == "__main__":
    given = [int(count) for count in sys.argv[1:]]
    main(given or [1 << k for k in range(machine.cores().bit_length())])
