"""`lengths`: training steps on rows of unequal length, `layer(x, lengths=...)` against torch.nn and its PackedSequence.

Both begin and end with padded tensors, so packing and padding are part of torch's work as they are of Elman's.
"""

from collections.abc import Iterator

from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from elman.benchmarks import modules, tables
from elman.benchmarks.base import Benchmark, Row, Settings, Shape, Table, Work
from elman.benchmarks.means import mean_ratios
from elman.benchmarks.problem import Problem
from elman.benchmarks.race import Race
from elman.layers import convert, explain


class Lengths(Benchmark):
    shapes = {"usual": (Shape(32, 100, 128, 256),)}
    peers = ("torch",)

    def rows(self, settings: Settings) -> Iterator[Row]:
        for cell in settings.cells:
            for group, shape in self.grouped_shapes(settings):
                for directions in (1, 2):
                    described = {"cell": cell, "directions": directions, "group": group, "shape": shape._asdict()}
                    problem = Problem.make(cell, shape, bidirectional=directions == 2, unequal=True)
                    yield described | _row(problem, settings)

    def means(self, rows: list[Row]) -> list[Row]:
        return mean_ratios(rows, ("cell", "directions", "group"))

    def tables(self, rows: list[Row]) -> list[Table]:
        columns = [
            tables.key("cell"),
            tables.key("directions"),
            tables.SHAPE,
            ("real steps", lambda row: tables.percent(row["real_steps"])),
            tables.BACKEND,
            tables.milliseconds("elman"),
            tables.milliseconds("torch"),
            tables.times_faster("elman", "torch", "ratio"),
            tables.matmul_share("elman"),
            tables.DEVIATION,
        ]
        return [tables.table("Training steps, medians, lengths uniform in T/10..T", rows, columns)]

    def means_table(self, means: list[Row]) -> Table:
        facts = [tables.key("cell"), tables.key("directions"), tables.key("group", "shapes")]
        compared = [tables.times_faster("elman", "torch", "torch")]
        return tables.table("Geometric means of the ratios (the least)", means, [*facts, *compared])


def _row(problem: Problem, settings: Settings) -> Row:
    assert problem.lengths is not None
    race = Race(
        f"{problem.cell} {problem.shape} with lengths, directions: {2 if problem.layer.bidirectional else 1}",
        {"elman": _elman(problem, problem.lengths)},
        {"torch": _torch(problem, problem.lengths)},
        problem.operations(training=True),
    )
    explained = explain(convert(problem.fresh_layer()), problem.x, lengths=problem.lengths)
    real = int(problem.lengths.sum()) / (problem.shape.B * problem.shape.T)
    return {"real_steps": real, "backend": explained.backend, **race.run(settings.budget)}


def _elman(problem: Problem, lengths: Tensor) -> Work:
    layer = convert(problem.fresh_layer())

    def call(x: Tensor) -> Tensor:
        output: Tensor = layer(x, lengths=lengths)[0]
        return output

    return modules.training(layer, call, problem.x)


def _torch(problem: Problem, lengths: Tensor) -> Work:
    layer, steps = problem.fresh_layer(), problem.shape.T

    def call(x: Tensor) -> Tensor:
        packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
        output, _ = layer(packed)
        return pad_packed_sequence(output, total_length=steps)[0]

    return modules.training(layer, call, problem.x)
