"""`loop`: a training step through a loop in Python over a single-step cell, as decoders with attention are written.

Ours against torch.nn's cell in the same loop, and beside them Elman's layer over the whole sequence, which a loop that
has something to do between two steps cannot have.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from elman.benchmarks import modules, tables
from elman.benchmarks.base import Benchmark, Row, Settings, Shape, Table, Work
from elman.benchmarks.means import mean_ratios
from elman.benchmarks.problem import Problem
from elman.benchmarks.race import Race
from elman.layers import convert, explain

WHOLE = "whole sequence"


class Loop(Benchmark):
    shapes = {
        "usual": (
            Shape(8, 50, 128, 128),
            Shape(32, 50, 256, 256),
            Shape(16, 40, 512, 512),
            Shape(4, 100, 768, 1024),
            Shape(128, 30, 64, 64),
        ),
        "one row": (Shape(1, 50, 64, 64), Shape(1, 50, 512, 512)),
    }
    peers = ("torch",)

    def rows(self, settings: Settings) -> Iterator[Row]:
        for cell in settings.cells:
            for group, shape in self.grouped_shapes(settings):
                described: Row = {"cell": cell, "group": group, "shape": shape._asdict()}
                yield described | _row(Problem.make(cell, shape), settings)

    def means(self, rows: list[Row]) -> list[Row]:
        compared = [row | {"ratios": {"elman": {"torch": row["ratios"]["elman"]["torch"]}}} for row in rows]
        return mean_ratios(compared, ("cell", "group"))

    def tables(self, rows: list[Row]) -> list[Table]:
        columns = [
            tables.key("cell"),
            tables.SHAPE,
            tables.BACKEND,
            *(tables.milliseconds(name) for name in ("elman", "torch", WHOLE)),
            tables.times_faster("elman", "torch", "torch / elman"),
            tables.DEVIATION,
        ]
        return [tables.table("Training steps, medians, and how many times longer torch.nn's cell takes", rows, columns)]

    def means_table(self, means: list[Row]) -> Table:
        facts = [tables.key("cell"), *tables.GROUP]
        compared = [tables.times_faster("elman", "torch", "torch")]
        return tables.table("Geometric means of the ratios (the least)", means, [*facts, *compared])


def _row(problem: Problem, settings: Settings) -> Row:
    theirs, layer = problem.step_layer(), convert(problem.fresh_layer())
    ours = convert(problem.step_layer())
    whole = modules.training(layer, lambda x: layer(x)[0], problem.x)
    race = Race(
        f"a loop of {problem.cell} {problem.shape}",
        {"elman": _looping(ours, problem.x)},
        {"torch": _looping(theirs, problem.x)},
        beside={WHOLE: whole},
    )
    asked = problem.x[0].clone().requires_grad_()
    return {"backend": explain(ours, asked).backend, **race.run(settings.budget)}


def _looping(cell: nn.Module, x: Tensor) -> Work:
    return modules.training(cell, partial(_outputs, cell), x)


def _outputs(cell: nn.Module, x: Tensor) -> Tensor:
    """(T, B, I) -> (T, B, H), a step at a time."""
    state: Any = None
    found = []
    for step in x.unbind():
        state = cell(step, state)
        found.append(state[0] if isinstance(state, tuple) else state)
    return torch.stack(found)
