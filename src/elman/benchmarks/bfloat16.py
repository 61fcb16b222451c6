"""`bfloat16`: whole sequences under autocast, products of bfloat16 and sums of float32, against the same in float32.

Beside Elman's own float32 stand torch.nn's layers in float32, whose answers are the measure, and under autocast too.
"""

from dataclasses import replace

import torch
from torch import Tensor

from elman.benchmarks import modules, tables
from elman.benchmarks.base import Row, Settings, Table, Work
from elman.benchmarks.layers import USUAL, Layers
from elman.benchmarks.modules import Call
from elman.benchmarks.problem import Problem
from elman.benchmarks.race import Race
from elman.engine import multiplies_bfloat16
from elman.layers import convert

NARROW, ELMAN, TORCH = "elman", "elman float32", "torch bfloat16"

TOLERANCE, AT_A_KINK = 0.05, 0.2
"""How far answers may be off where products are of bfloat16: 8 bits, over 35 to 100 steps. A ReLU network's gradients
jump where rounding takes a unit over its kink."""

COMPARED = [tables.times_faster(NARROW, other, other) for other in (ELMAN, "torch", TORCH)]


class Bfloat16(Layers):
    shapes = {"usual": USUAL}
    peers = ("torch",)

    def row(self, problem: Problem, settings: Settings, *, training: bool) -> Row:
        ours, theirs = convert(problem.fresh_layer()), problem.fresh_layer()

        def work(layer: torch.nn.Module, call: Call) -> Work:
            return modules.training(layer, call, problem.x) if training else modules.forward(call, problem.x)

        def plain(layer: torch.nn.Module) -> Call:
            return lambda x: layer(x)[0]

        def narrow(layer: torch.nn.Module) -> Call:
            def call(x: Tensor) -> Tensor:
                with torch.autocast("cpu", torch.bfloat16):
                    output: Tensor = layer(x)[0]
                return output.float()

            return call

        allowed = AT_A_KINK if problem.cell == "rnn-relu" else TOLERANCE
        race = Race(
            f"{problem.cell} {problem.shape} {'training' if training else 'forward'} in bfloat16",
            {NARROW: replace(work(ours, narrow(ours)), tolerance=allowed)},
            {"torch": work(theirs, plain(theirs)), TORCH: replace(work(theirs, narrow(theirs)), tolerance=allowed)},
            problem.operations(training=training),
            {ELMAN: work(ours, plain(ours))},
            torch.bfloat16 if multiplies_bfloat16() else torch.float32,
        )
        with torch.set_grad_enabled(training):
            found = race.run(settings.budget)
        return {"products": "bfloat16" if multiplies_bfloat16() else "float32", **found}

    def tables(self, rows: list[Row]) -> list[Table]:
        columns = [
            tables.key("cell"),
            tables.key("pass"),
            tables.SHAPE,
            tables.key("products"),
            tables.milliseconds(NARROW),
            *COMPARED,
            tables.matmul_share(NARROW),
            tables.deviation(NARROW),
            tables.deviation(TORCH),
        ]
        return [tables.table("Medians under autocast, and how many times longer others take", rows, columns)]

    def means_table(self, means: list[Row]) -> Table:
        facts = [tables.key("cell"), tables.key("pass"), *tables.GROUP]
        return tables.table("Geometric means of the ratios (the least)", means, [*facts, *COMPARED])
