"""The project's own benchmarks by name: one file each, and one entry here.

This room knows layers, peers and clocks; nothing of runs, tasks or the command line.
"""

from typing import TYPE_CHECKING

from elman.errors import UsageError
from elman.names import Entry

if TYPE_CHECKING:
    from elman.benchmarks.base import Benchmark


BENCHMARKS = {
    "layers": Entry("elman.benchmarks.layers:Layers", "whole sequences, forward and in training"),
    "lengths": Entry(
        "elman.benchmarks.lengths:Lengths", "training on rows of unequal length, against packed sequences"
    ),
    "bfloat16": Entry("elman.benchmarks.bfloat16:Bfloat16", "layers under autocast, against float32"),
    "step": Entry("elman.benchmarks.step:Step", "one time step of one row, as a stream takes it"),
    "loop": Entry("elman.benchmarks.loop:Loop", "training through a loop over a cell, step by step"),
    "cells": Entry("elman.benchmarks.cells:Cells", "every cell and option in training, against a loop in torch"),
    "scan": Entry("elman.benchmarks.scan:Scan", "linear recurrences over long sequences, against memory's speed"),
    "memory": Entry("elman.benchmarks.memory:Memory", "the peak of memory in training, each time in a fresh process"),
}


def find(name: str) -> "Benchmark":
    """Return the benchmark of that name; UsageError says which there are. Its file is imported only now."""
    if name not in BENCHMARKS:
        raise UsageError(f"no benchmark is called {name!r}; there are: {', '.join(BENCHMARKS)}")
    benchmark: Benchmark = BENCHMARKS[name].make()
    return benchmark
