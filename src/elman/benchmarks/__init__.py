"""The project's own benchmarks by name: one file each, and one entry here.

This room knows layers, peers and clocks; nothing of runs, tasks or the command line.
"""

import importlib
from typing import TYPE_CHECKING, NamedTuple

from elman.errors import UsageError

if TYPE_CHECKING:
    from elman.benchmarks.base import Benchmark


class Entry(NamedTuple):
    """Where a benchmark lives, and what it measures, so that lists and help need not import it."""

    place: str
    summary: str


BENCHMARKS = {
    "layers": Entry("elman.benchmarks.layers:Layers", "whole sequences, forward and in training"),
    "lengths": Entry(
        "elman.benchmarks.lengths:Lengths", "training on rows of unequal length, against packed sequences"
    ),
    "bfloat16": Entry("elman.benchmarks.bfloat16:Bfloat16", "layers under autocast, against float32"),
    "step": Entry("elman.benchmarks.step:Step", "one time step of one row, as a stream takes it"),
    "cells": Entry("elman.benchmarks.cells:Cells", "every cell and option in training, against a loop in torch"),
    "scan": Entry("elman.benchmarks.scan:Scan", "linear recurrences over long sequences, against memory's speed"),
    "memory": Entry("elman.benchmarks.memory:Memory", "the peak of memory in training, each time in a fresh process"),
}


def find(name: str) -> "Benchmark":
    """Return the benchmark of that name; UsageError says which there are. Its file is imported only now."""
    if name not in BENCHMARKS:
        raise UsageError(f"no benchmark is called {name!r}; there are: {', '.join(BENCHMARKS)}")
    module, _, attribute = BENCHMARKS[name].place.partition(":")
    benchmark: Benchmark = getattr(importlib.import_module(module), attribute)()
    return benchmark
