"""`cells`: a training step of every cell and option, against the same mathematics as a loop over time in torch.

The loop comes in two forms: as one writes it, with a cell that is called at every step, and hoisted, with the input
multiplied for all steps beforehand. Beside them run torch.nn's layer, where it has the cell, the plain LSTM, to set
times against at equal matmul work, and the same layer on rows of unequal length, to set its time against the steps that
are left.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from elman.benchmarks import modules, tables
from elman.benchmarks.base import Benchmark, Row, Settings, Shape, Table, Work
from elman.benchmarks.example import NormedGate
from elman.benchmarks.kink import off_the_kink
from elman.benchmarks.means import mean_ratios
from elman.benchmarks.problem import LAYERS
from elman.benchmarks.race import Race
from elman.cells import CELLS, Cell, Weights
from elman.cells.modified import Modified
from elman.engine import backend
from elman.layers import Recurrent, explain
from elman.types import State

EXAMPLE = "docs/extending.md"
LOOPS = ("loop", "hoisted loop")
HALF = -1
"""A projection to half of H, whatever that is."""


class Variant(NamedTuple):
    """A cell with options, and torch.nn's layer of it if there is one."""

    name: str
    cell: str | Cell
    options: dict[str, Any]
    theirs: Callable[..., nn.RNNBase] | None = None


OPTIONS: dict[str, dict[str, dict[str, Any]]] = {
    "lstm": {
        "layer norm": {"layer_norm": True},
        "zoneout": {"zoneout": 0.1},
        "recurrent dropout": {"recurrent_dropout": 0.2},
        "weight dropout": {"weight_dropout": 0.5},
        "learnt state": {"learn_state": True},
        "projection to half": {"proj_size": HALF},
    },
    "gru": {"layer norm": {"layer_norm": True}, "zoneout": {"zoneout": 0.1}},
    "mingru": {"layer norm": {"layer_norm": True}, "zoneout": {"zoneout": 0.1}},
}


def variants(names: tuple[str, ...]) -> Iterator[Variant]:
    """The named cells, each plain and then with options."""
    for name in names:
        if name == EXAMPLE:
            yield Variant(name, NormedGate(), {})
            continue
        yield Variant(name, name, {}, LAYERS.get(name))
        for said, options in OPTIONS.get(name, {}).items():
            yield Variant(f"{name}, {said}", name, options, nn.LSTM if "proj_size" in options else None)


class Cells(Benchmark):
    shapes = {"usual": (Shape(32, 100, 128, 256),)}
    peers = ("torch",)
    cells = (*CELLS, EXAMPLE)
    rounds = 9

    def rows(self, settings: Settings) -> Iterator[Row]:
        for group, shape in self.grouped_shapes(settings):
            for variant in variants(settings.cells):
                yield {"cell": variant.name, "group": group, "shape": shape._asdict()} | _row(variant, shape, settings)

    def means(self, rows: list[Row]) -> list[Row]:
        return mean_ratios(
            [row | {"ratios": {"elman": {name: row["ratios"]["elman"][name] for name in LOOPS}}} for row in rows],
            ("group",),
        )

    def tables(self, rows: list[Row]) -> list[Table]:
        columns = [
            tables.key("cell"),
            tables.BACKEND,
            tables.milliseconds("elman"),
            *(tables.milliseconds(name) for name in LOOPS),
            *(tables.times_faster("elman", name, f"{name} / elman") for name in LOOPS),
            tables.times_faster("elman", "torch", "torch.nn / elman"),
            ("of LSTM's time at equal work", lambda row: f"{row['equal_work']:.2f}"),
            ("lengths, of their steps", lambda row: f"{row['lengths_cost']:.2f}"),
            tables.DEVIATION,
        ]
        return [tables.table("Training steps, medians", rows, columns)]

    def means_table(self, means: list[Row]) -> Table:
        compared = [tables.times_faster("elman", name, name) for name in LOOPS]
        return tables.table("Geometric mean of the ratios (the least)", means, [*tables.GROUP, *compared])


def _row(variant: Variant, shape: Shape, settings: Settings) -> Row:
    options: dict[str, Any] = {
        name: shape.H // 2 if value == HALF else value for name, value in variant.options.items()
    }
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        x = torch.randn(shape.T, shape.B, shape.I)
        lengths = torch.randint(max(1, shape.T // 10), shape.T + 1, (shape.B,))
        layer = Recurrent(variant.cell, shape.I, shape.H, **options)
        if variant.name == "rnn-relu":
            x = off_the_kink(layer, x, None)
    if options.get("layer_norm"):
        _calm(layer)
    theirs = {
        "hoisted loop": _work(layer, x, "reference"),
        "loop": _work(_stepping(layer), x, "reference"),
    }
    if variant.theirs is not None and settings.peers:
        own = variant.theirs(shape.I, shape.H, **options)
        own.load_state_dict(layer.state_dict())
        theirs["torch"] = modules.training(own, lambda x: own(x)[0], x)
    beside = {
        "lengths": _work(layer, x, None, lengths=lengths),
        "plain lstm": _work(Recurrent("lstm", shape.I, shape.H), x, None),
    }
    race = Race(f"{variant.name} {shape}", {"elman": _work(layer, x, None)}, theirs, beside=beside)
    row = race.run(settings.budget)
    ratios = row["ratios"]["elman"]
    share = int(lengths.sum()) / (shape.B * shape.T)
    return {
        "backend": explain(layer, x).backend,
        "equal_work": _operations(CELLS["lstm"], shape)
        / _operations(layer.plain_cell, shape, **options)
        / ratios["plain lstm"],
        "lengths_cost": ratios["lengths"] / share,
        "real_steps": share,
        **row,
    }


@dataclass(frozen=True, repr=False)
class _AtEveryStep(Modified):
    """A cell that reads the input itself at every step, not its share of the gates."""

    def project(self, inputs: Tensor, weights: Weights) -> Tensor:  # noqa: ARG002
        return inputs

    def step(self, projected: Tensor, state: State, weights: Weights) -> State:
        return self.inner.step(self.inner.project(projected, weights), state, weights)


def _stepping(layer: Recurrent) -> Recurrent:
    """A layer on the same parameters whose loop multiplies the input at every step."""
    twin = copy.copy(layer)
    twin._cells = {mode: _AtEveryStep(cell) for mode, cell in (layer._cells or {}).items()}  # noqa: SLF001
    return twin


def _calm(layer: Recurrent) -> None:
    """Small gains. With gains of one, a network of random weights is chaotic: it makes of the last bit of a sum another
    answer within a hundred steps, and answers could not be compared. T. Cooijmans et al. (2017) begin so too.
    """
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            if name.startswith("gain_"):
                parameter.fill_(0.1)


def _operations(cell: Cell, shape: Shape, proj_size: int = 0, **_: Any) -> int:
    """Multiplications with weights, in one time step of one row."""
    shapes = cell.shapes(shape.I, shape.H, projection=proj_size).values()
    return sum(found[0] * found[1] for found in shapes if found is not None and len(found) == 2)


def _work(layer: Recurrent, x: Tensor, forced: str | None, **extras: Any) -> Work:
    """A training step, under one seed, so that every contender draws the same masks."""

    def call(x: Tensor) -> Tensor:
        torch.manual_seed(0)
        output: Tensor = layer(x, **extras)[0]
        return output

    work = modules.training(layer, call, x)
    if forced is None:
        return work

    def run() -> Any:
        with backend(forced):
            return work.run()

    return Work(run, work.read)
