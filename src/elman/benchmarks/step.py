"""`step`: one time step of one row, as a stream takes it: Elman's cells and its stepper against torch's cells and ONNX
Runtime, with one thread each and with two.

The stepper runs again with weights of bfloat16 and of int8, whose answers are off accordingly.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from elman.benchmarks import modules, tables
from elman.benchmarks.answers import TOLERANCE
from elman.benchmarks.base import Benchmark, Row, Settings, Shape, Table, Work
from elman.benchmarks.means import mean_ratios
from elman.benchmarks.problem import Problem
from elman.benchmarks.race import Race
from elman.errors import UsageError
from elman.layers import convert, explain

ROUNDED = {"elman bf16 stepper": torch.bfloat16, "elman int8 stepper": torch.int8}
OURS = ("elman cell", "elman stepper", *ROUNDED)
OFF = 0.05
"""How far answers of rounded weights may be off."""

THREADS = (1, 2)


class Step(Benchmark):
    shapes = {"usual": (Shape(1, 1, 256, 256), Shape(1, 1, 512, 512))}
    peers = ("torch", "onnxruntime")

    def rows(self, settings: Settings) -> Iterator[Row]:
        shapes = self.grouped_shapes(settings)
        for _, shape in shapes:
            if shape.T != 1:
                raise UsageError(
                    f"--shape {shape} has {shape.T} time steps; `elman bench step` takes shapes with T = 1"
                )
        for cell in settings.cells:
            for group, shape in shapes:
                for threads in THREADS:
                    described: Row = {"cell": cell, "threads": threads, "group": group, "shape": shape._asdict()}
                    with torch.no_grad(), _threads(threads):
                        measured = _row(Problem.make(cell, shape), settings)
                    yield described | measured

    def means(self, rows: list[Row]) -> list[Row]:
        return mean_ratios(rows, ("cell", "threads", "group"))

    def tables(self, rows: list[Row]) -> list[Table]:
        facts = [tables.key("cell"), tables.key("threads"), tables.SHAPE, tables.BACKEND]
        times = [column for name in tables.contenders(rows) for column in tables.microseconds(name)]
        title = "Medians and 99th percentiles of a step, and how many times longer a peer takes"
        return [
            tables.table(
                title,
                rows,
                [*facts, *times, *_ratios(rows), tables.deviation(but=tuple(ROUNDED)), *map(tables.deviation, ROUNDED)],
            )
        ]

    def means_table(self, means: list[Row]) -> Table:
        facts = [tables.key("cell"), tables.key("threads"), *tables.GROUP]
        return tables.table("Geometric means of the ratios (the least)", means, [*facts, *_ratios(means)])


def _ratios(rows: list[Row]) -> list[tables.Column]:
    return [
        tables.times_faster(our, their, f"{their} / {our.removeprefix('elman ')}")
        for our in OURS
        for their in tables.peers_of(rows)
    ]


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _row(problem: Problem, settings: Settings) -> Row:
    cell = convert(problem.step_layer())
    works = (modules.step(cell, problem.x[0]), *(_stepper(problem, kept) for kept in (None, *ROUNDED.values())))
    ours = dict(zip(OURS, works, strict=True))
    theirs = {peer.name: peer.step(problem) for peer in settings.peers}
    present = {name: work for name, work in theirs.items() if work is not None}
    race = Race(f"{problem.cell} {problem.shape}, one step", ours, present)
    return {"backend": explain(cell, problem.x[0]).backend, **race.run(settings.budget)}


def _stepper(problem: Problem, weights: torch.dtype | None = None) -> Work:
    layer: Any = convert(problem.fresh_layer())
    stepper, x = layer.stepper(batch=problem.shape.B, weights=weights), problem.x[0]
    tolerance = TOLERANCE if weights is None else OFF
    return Work(lambda: stepper(x), lambda output: {"h": output.clone()}, tolerance)
