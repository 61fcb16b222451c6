"""`layers`: whole sequences, forward without grad and training steps, against torch.nn, JAX's scan and ONNX Runtime."""

from collections.abc import Iterator
from contextlib import nullcontext
from typing import ClassVar

import torch

from elman.benchmarks import modules, tables
from elman.benchmarks.base import Benchmark, Row, Settings, Shape, Table
from elman.benchmarks.means import mean_ratios
from elman.benchmarks.problem import Problem
from elman.benchmarks.race import Race
from elman.layers import convert, explain

USUAL = (
    Shape(16, 100, 64, 128),
    Shape(32, 100, 128, 256),
    Shape(64, 50, 256, 512),
    Shape(128, 64, 64, 64),
    Shape(20, 35, 640, 640),
)
ODD = (Shape(32, 100, 64, 50), Shape(32, 100, 64, 100), Shape(32, 50, 128, 250))
"""H is no multiple of a vector register's 16 or 8 numbers."""
FEW = (Shape(1, 100, 256, 256), Shape(1, 200, 512, 512), Shape(4, 100, 128, 256))
"""One sequence by itself, or a few: what is read of the weights counts, more than what is computed with them."""


class Layers(Benchmark):
    shapes = {"usual": USUAL, "odd": ODD, "few rows": FEW}
    peers: ClassVar[tuple[str, ...]] = ("torch", "jax", "onnxruntime")

    def rows(self, settings: Settings) -> Iterator[Row]:
        for cell in settings.cells:
            for group, shape in self.grouped_shapes(settings):
                problem = Problem.make(cell, shape)
                for way in ("training", "forward"):
                    described = {"cell": cell, "pass": way, "group": group, "shape": shape._asdict()}
                    yield described | self.row(problem, settings, training=way == "training")

    def row(self, problem: Problem, settings: Settings, *, training: bool) -> Row:
        """What is measured of one layer in one pass."""
        layer = convert(problem.fresh_layer())

        def call(x: torch.Tensor) -> torch.Tensor:
            output: torch.Tensor = layer(x)[0]
            return output

        with nullcontext() if training else torch.no_grad():
            ours = modules.training(layer, call, problem.x) if training else modules.forward(call, problem.x)
            found = {p.name: p.training(problem) if training else p.forward(problem) for p in settings.peers}
            theirs = {name: work for name, work in found.items() if work is not None}
            case = f"{problem.cell} {problem.shape} {'training' if training else 'forward'}"
            race = Race(case, {"elman": ours}, theirs, problem.operations(training=training))
            return {"backend": explain(layer, problem.x).backend, **race.run(settings.budget)}

    def means(self, rows: list[Row]) -> list[Row]:
        return mean_ratios(rows, ("cell", "pass", "group"))

    def tables(self, rows: list[Row]) -> list[Table]:
        compared = [
            column
            for peer in tables.peers_of(rows)
            for column in (tables.milliseconds(peer), tables.times_faster("elman", peer, "ratio"))
        ]
        facts = [tables.key("cell"), tables.key("pass"), tables.SHAPE, tables.BACKEND, tables.milliseconds("elman")]
        last = [tables.matmul_share("elman"), tables.DEVIATION]
        return [tables.table("Medians, and how many times longer a peer takes", rows, [*facts, *compared, *last])]

    def means_table(self, means: list[Row]) -> Table:
        facts = [tables.key("cell"), tables.key("pass"), *tables.GROUP]
        compared = [tables.times_faster("elman", peer, peer) for peer in tables.peers_of(means)]
        return tables.table("Geometric means of the ratios (the least)", means, [*facts, *compared])
