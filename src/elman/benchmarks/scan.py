"""`scan`: linear recurrences over long sequences.

`linear_scan` against the closed form in terms of cumulative sums of logarithms, and against what memory can do: a
multiplication of two such arrays into a third. `selective_scan`, of I states for each of H features, and a minimal
GRU's training step against a loop over time in torch.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from elman.benchmarks import modules, tables
from elman.benchmarks.base import Benchmark, Row, Settings, Shape, Table, Work
from elman.benchmarks.means import mean_ratios
from elman.benchmarks.race import Race
from elman.engine import backend, linear_scan, selective_scan
from elman.layers import Recurrent

SCAN, SELECTIVE, LAYER = "linear_scan", "selective_scan", "mingru"
MOVED = {"forward": 3, "backward": 5}
"""How many arrays go through memory: a, b, h; and a, h, dh, da, db."""


class Scan(Benchmark):
    shapes = {
        SCAN: (Shape(8, 4096, 256, 256), Shape(1, 65536, 64, 64)),
        SELECTIVE: (Shape(2, 512, 16, 1536), Shape(8, 1024, 16, 256), Shape(1, 4096, 16, 512)),
        LAYER: (Shape(1, 16384, 64, 64), Shape(8, 16384, 64, 64), Shape(1, 16384, 256, 256)),
    }
    peers = ("torch",)
    cells = (LAYER,)
    rounds = 5

    def rows(self, settings: Settings) -> Iterator[Row]:
        for group, shape in self.grouped_shapes(settings):
            what = group if group in {SELECTIVE, LAYER} else SCAN
            row = {SCAN: _scan, SELECTIVE: _selective, LAYER: _layer}[what](shape, settings)
            yield {"what": what, "group": group, "shape": shape._asdict()} | row

    def means(self, rows: list[Row]) -> list[Row]:
        kept = [row | {"ratios": {"elman": {"peer": row["ratios"]["elman"][row["peer"]]}}} for row in rows]
        return mean_ratios(kept, ("what",))

    def tables(self, rows: list[Row]) -> list[Table]:
        def share(name: str) -> Callable[[Row], str]:
            return lambda row: (
                tables.percent(row["bandwidth_shares"][name]) if "bandwidth_shares" in row else tables.NOTHING
            )

        columns = [
            tables.key("what"),
            tables.SHAPE,
            tables.milliseconds("elman"),
            tables.key("peer"),
            ("peer ms", lambda row: tables.significant(row["times"][row["peer"]]["median_ms"])),
            ("ratio", lambda row: f"{row['ratios']['elman'][row['peer']]:.1f}x"),
            ("forward, of memory's speed", share("forward")),
            ("backward", share("backward")),
            tables.DEVIATION,
        ]
        return [tables.table("Forward and backward, medians", rows, columns)]

    def means_table(self, means: list[Row]) -> Table:
        return tables.table(
            "Geometric means of the ratios (the least)",
            means,
            [tables.key("what"), tables.key("shapes", "rows"), tables.times_faster("elman", "peer", "peer / elman")],
        )


def closed_form(a: Tensor, b: Tensor) -> Tensor:
    """h of positive a and b by cumulative sums: F. A. Heinsen, "Efficient parallelization of a ubiquitous sequential
    computation" (2023)."""
    total = a.log().cumsum(0)
    return (total + (b.log() - total).logcumsumexp(0)).exp()


def _scan(shape: Shape, settings: Settings) -> Row:
    size = (shape.T, shape.B, shape.H)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        a, b, d = torch.rand(size) * 0.5 + 0.5, torch.rand(size) + 0.1, torch.randn(size)
    out = torch.empty_like(a)
    beside = {
        "forward": Work(lambda: linear_scan(a, b), lambda _: {}),
        "multiply": Work(lambda: torch.mul(a, b, out=out), lambda _: {}),
    }
    ours, theirs = _differentiated(linear_scan, a, b, d), _differentiated(closed_form, a, b, d)
    exact = _differentiated(closed_form, a.double(), b.double(), d.double())
    # In float32 sums of thousands of logarithms leave three digits; its answers are taken from float64.
    theirs = Work(theirs.run, lambda _: {name: t.float() for name, t in exact.read(exact.run()).items()})
    row = Race(f"{SCAN} {shape}", {"elman": ours}, {"closed form": theirs}, beside=beside).run(settings.budget)
    times = {name: row["times"][name]["median_ms"] for name in ("elman", "forward", "multiply")}
    speed = 3 / times["multiply"]
    shares = {
        "forward": MOVED["forward"] / times["forward"] / speed,
        "backward": MOVED["backward"] / (times["elman"] - times["forward"]) / speed,
    }
    return {"peer": "closed form", "bandwidth_shares": shares, **row}


def _differentiated(function: Callable[[Tensor, Tensor], Tensor], a: Tensor, b: Tensor, d: Tensor) -> Work:
    leaves = [a.clone().requires_grad_(), b.clone().requires_grad_()]

    def run() -> list[Tensor]:
        h = function(*leaves)
        return [h, *torch.autograd.grad(h, leaves, d)]

    def read(found: list[Tensor]) -> dict[str, Tensor]:
        names = ("h", "the gradient of a", "the gradient of b")
        return {name: tensor.detach() for name, tensor in zip(names, found, strict=True)}

    return Work(run, read)


def _selective(shape: Shape, settings: Settings) -> Row:
    def in_time(rows: int, width: int) -> Tensor:
        """(rows, width, T), in the order of time as the engine reads it."""
        return torch.randn(shape.T, rows, width).permute(1, 2, 0)

    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        u, delta, d = (in_time(shape.B, shape.H) for _ in range(3))
        b, c = (in_time(shape.B, shape.I) for _ in range(2))
    a, skip = -torch.arange(1.0, shape.I + 1).repeat(shape.H, 1), torch.ones(shape.H)
    delta -= 4
    leaves = [tensor.requires_grad_() for tensor in (u, delta, a, b, c, skip)]

    def run() -> list[Tensor]:
        y = selective_scan(u, delta, a, b, c, skip, delta_softplus=True)
        return [y, *torch.autograd.grad(y, leaves, d)]

    def loop() -> list[Tensor]:
        with backend("reference"):
            return run()

    def read(found: list[Tensor]) -> dict[str, Tensor]:
        names = ("y", *(f"the gradient of {name}" for name in ("u", "delta", "A", "B", "C", "D")))
        return {name: tensor.detach() for name, tensor in zip(names, found, strict=True)}

    race = Race(f"{SELECTIVE} {shape}", {"elman": Work(run, read)}, {"loop": Work(loop, read)})
    return {"peer": "loop", **race.run(settings.budget)}


def _layer(shape: Shape, settings: Settings) -> Row:
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        x, layer = torch.randn(shape.T, shape.B, shape.I), Recurrent(LAYER, shape.I, shape.H)
    ours = modules.training(layer, lambda x: layer(x)[0], x)

    def loop() -> Any:
        with backend("reference"):
            return ours.run()

    race = Race(f"{LAYER} {shape}", {"elman": ours}, {"loop": Work(loop, ours.read)})
    return {"peer": "loop", **race.run(settings.budget)}
