"""Twenty networks, most with a fault planted by chance: does the first finding name it, and does its remedy cure it?

All are for the adding problem, over 150 to 250 steps, or 200 where the remedy is tried.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch.nn import functional as F

from elman.diagnosis.examine import diagnose
from elman.diagnosis.result import Diagnosis
from elman.experiments.base import Experiment, Outcome
from elman.experiments.learning import (
    LastStep,
    Learned,
    bias_of,
    first_weights,
    gate_bias,
    identity,
    learn,
    orthogonal,
    recurrent_matrix,
)
from elman.experiments.problems import Examples, adding
from elman.layers import Stack, build

RATE, GOAL, BEFORE, AFTER = 0.005, 0.01, 1500, 3000


class PlantedFaults(Experiment):
    """Twenty networks for each seed; of the first seed's faults each kind is cured once."""

    name = "planted-faults"
    claim = "What keeps a recurrent network from learning can be measured, and each fault has its remedy."
    expected = "The first finding names the planted fault in all networks; healthy ones get none; its remedy cures."
    method = (
        "Networks for the adding problem with faults planted by chance. Cured: at 200 steps and 64 units, trained "
        f"with Adam to an error below {GOAL}, at most {BEFORE} updates before and {AFTER} after the change that the "
        "first finding proposes; guessing gives 0.167."
    )
    usual_seeds = 5

    def run(self, seeds: Sequence[int], tell: Callable[[str], None]) -> Outcome:
        named, networks = 0, 0
        for seed in seeds:
            tell(f"seed {seed}: twenty networks")
            for plant in plants(seed):
                networks += 1
                named += _first(plant.setting.diagnosed()) == plant.problem
        rows, cured, sick = [], 0, 0
        for plant in _kinds(plants(seeds[0])):
            tell(f"curing {plant.setting.cell}: {plant.what}")
            setting = replace(plant.setting, steps=200, hidden=64)
            finding = setting.diagnosed().findings[0]
            before, after = setting.learnt(BEFORE), setting.changed(finding.change).learnt(AFTER)
            sick += not before.solved
            cured += after.solved and not before.solved
            rows.append(
                {
                    "planted": f"{plant.problem} ({plant.setting.cell}, {plant.what})",
                    "first finding": finding.problem,
                    "change": ", ".join(f"{name} {value}" for name, value in finding.change.items()),
                    "before": _said(before),
                    "after": _said(after),
                }
            )
        holds = named == networks and cured == sick
        return Outcome(
            rows=rows,
            measured=(
                f"The first finding names the fault, or finds none in a healthy network, in {named} of {networks}. "
                f"Of the {sick} that did not learn before, {cured} learn after the change."
            ),
            verdict="holds" if holds else "holds in part",
            reason="For these faults and this problem." if holds else "See the table.",
            seeds=list(seeds),
        )


def _first(diagnosis: Diagnosis) -> str | None:
    return diagnosis.findings[0].problem if diagnosis.findings else None


def _kinds(found: "list[Plant]") -> "list[Plant]":
    """One of each fault and cell."""
    return list({(plant.problem, plant.setting.cell): plant for plant in found if plant.problem}.values())


def _said(learnt: Learned) -> str:
    return f"{learnt.updates:,} updates" if learnt.solved else f"error {learnt.error:.2g}"


@dataclass(frozen=True)
class Setting:
    """How a network is made and trained; `change` makes of it what a remedy asks for.

    Attributes:
        cell: its name.
        hidden: H.
        steps: T.
        start: done to the layer after torch's start.
        rate: Adam's.
        clip: of the gradient's norm.
        window: of truncation.
        storms: the share of the rows with a storm, a stretch of steps that the third input announces.
        seed: of everything.
    """

    cell: str
    hidden: int
    steps: int
    seed: int
    start: Callable[[Stack], object] = field(default=lambda _: None)
    rate: float = RATE
    clip: float | None = 1.0
    window: int | None = None
    storms: float = 0.0

    def network(self) -> LastStep:
        """Untrained."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            layer = build(self.cell, 3 if self.storms else 2, self.hidden)
            self.start(layer)
            return LastStep(layer, window=self.window)

    def examples(self, batch: int, generator: torch.Generator) -> Examples:
        """The adding problem, with storms in some rows where there are any."""
        found = adding(self.steps, batch, generator)
        return _stormy(found, self.storms, generator) if self.storms else found

    def diagnosed(self) -> Diagnosis:
        """What is said of the untrained network on one batch."""
        network, examples = self.network(), self.examples(32, torch.Generator().manual_seed(self.seed))
        optimizer = torch.optim.Adam(network.parameters(), self.rate)
        targets = examples.targets
        return diagnose(
            network, examples.inputs, lambda output: F.mse_loss(output, targets), optimizer=optimizer, clip=self.clip
        )

    def learnt(self, updates: int) -> Learned:
        """How far training gets."""
        network = self.network()
        return learn(network, self.examples, rate=self.rate, updates=updates, goal=GOAL, seed=self.seed, clip=self.clip)

    def changed(self, change: dict[str, Any]) -> "Setting":
        """What a remedy asks for, and nothing else."""
        starts = [] if {"cell", "start"} & change.keys() else [self.start]
        if change.get("start") == "orthogonal":
            starts.append(orthogonal)
        cell = change.get("cell", self.cell)
        starts += [partial(gate_bias, gate=GATES[name, cell], value=change[name]) for name in BIASES & change.keys()]
        options = {name: change[name] for name in ("clip", "rate") if name in change}
        window = None if change.get("window", 0) >= self.steps else change.get("window", self.window)
        return replace(
            self, cell=cell, start=lambda layer: [start(layer) for start in starts], window=window, **options
        )


BIASES = {"forget_bias", "input_bias", "update_bias"}
GATES = {("forget_bias", "lstm"): "f", ("input_bias", "lstm"): "i", ("update_bias", "gru"): "z"}
"""The gates that remedies speak of, by their names in the cells."""


@dataclass(frozen=True)
class Plant:
    """A network with a fault, or none: the problem that the first finding should name, and what was done."""

    problem: str | None
    what: str
    setting: Setting


def plants(seed: int) -> list[Plant]:
    """Twenty networks, drawn by chance."""
    draw = random.Random(seed)  # noqa: S311 - not for secrets
    return [plant(draw) for plant, count in PLANTS for _ in range(count)]


def _setting(draw: random.Random, cell: str, **options: Any) -> Setting:
    """Sizes by chance."""
    return Setting(cell, draw.choice((32, 48, 64)), draw.randint(150, 250), draw.randrange(1 << 30), **options)


def _holds(cell: str, steps: int = 200) -> Callable[[Stack], None]:
    """A healthy start of a layer with gates: they hold over the sequence."""
    bias = torch.tensor(float(steps)).log().item()

    def start(layer: Stack) -> None:
        if cell == "lstm":
            gate_bias(layer, "f", bias)
            gate_bias(layer, "i", -bias)
        else:
            gate_bias(layer, "z", bias)

    return start


def _small(draw: random.Random) -> Plant:
    """Too small a radius, or gates that forget."""
    cell, radius, bias = draw.choice(("rnn", "rnn-relu", "lstm", "gru")), draw.uniform(0.3, 0.9), draw.uniform(-2, 0.5)
    if cell == "rnn":
        return Plant("vanishing", f"orthogonal, radius {radius:.2f}", _setting(draw, cell, start=_radius(radius)))
    if cell == "rnn-relu":
        start = _identity(radius)
        return Plant("vanishing", f"identity, radius {radius:.2f}", _setting(draw, cell, start=start))
    gate = "f" if cell == "lstm" else "z"
    setting = _setting(draw, cell, start=lambda layer: gate_bias(layer, gate, bias))
    return Plant("vanishing", f"bias of {gate} at {bias:.1f}", setting)


def _large(draw: random.Random) -> Plant:
    """Too large a radius."""
    cell = draw.choice(("rnn", "rnn-relu"))
    radius = draw.uniform(*{"rnn": (1.9, 2.6), "rnn-relu": (1.1, 1.6)}[cell])
    start = _identity(radius) if cell == "rnn-relu" else _radius(radius)
    return Plant("exploding", f"radius {radius:.2f}", _setting(draw, cell, start=start))


def _saturated(draw: random.Random) -> Plant:
    """Gates far at their limits, by their biases."""
    cell, bias = draw.choice(("lstm", "gru")), draw.uniform(8, 15)
    signs = torch.Generator().manual_seed(draw.randrange(1 << 30))

    def start(layer: Stack) -> None:
        with torch.no_grad():
            place = bias_of(layer)
            place.copy_(bias * (torch.randint(0, 2, place.shape, generator=signs) * 2 - 1))

    return Plant("saturated", f"biases of all gates at ±{bias:.0f}", _setting(draw, cell, start=start))


def _dead(draw: random.Random) -> Plant:
    """ReLU units that nothing switches on."""
    share, bias = draw.uniform(0.7, 1.0), -draw.uniform(2, 5)

    def start(layer: Stack) -> None:
        identity(layer)
        with torch.no_grad():
            biases = bias_of(layer)
            biases[: round(share * len(biases))] = bias

    return Plant("dead", f"biases of {share:.0%} of the units at {bias:.1f}", _setting(draw, "rnn-relu", start=start))


def _short_window(draw: random.Random) -> Plant:
    """A network that could remember, in a window that does not let it learn to."""
    cell, window = draw.choice(("lstm", "gru")), draw.randint(5, 40)
    return Plant("window-too-short", f"window {window}", _setting(draw, cell, start=_holds(cell), window=window))


def _high_rate(draw: random.Random) -> Plant:
    """Adam far beyond its usual rate."""
    cell, rate = draw.choice(("lstm", "gru")), 10 ** draw.uniform(-0.5, 1)
    return Plant("rate-too-high", f"rate {rate:.2g}", _setting(draw, cell, start=_holds(cell), rate=rate))


def _cliff(draw: random.Random) -> Plant:
    """Rare rows with a storm, in which the gates let go and the state passes through a large matrix many times."""
    radius = draw.uniform(5.0, 8.0)

    def start(layer: Stack) -> None:
        _holds("gru")(layer)
        weights = first_weights(layer)
        with torch.no_grad():
            torch.nn.init.orthogonal_(recurrent_matrix(weights).chunk(3)[2]).mul_(radius)
            weights.ih.chunk(3)[1][:, 2] = -20.0

    setting = _setting(draw, "gru", start=start, clip=None, storms=0.03)
    return Plant("exploding", f"storms, radius {radius:.1f}, no clipping", setting)


def _healthy(draw: random.Random) -> Plant:
    """Nothing."""
    cell = draw.choice(("lstm", "gru", "rnn-relu", "rnn"))
    start = _small_inputs(cell) if cell.startswith("rnn") else _holds(cell)
    return Plant(None, "control", _setting(draw, cell, start=start, rate=0.0001 if cell.startswith("rnn") else 0.001))


PLANTS = (
    (_small, 3),
    (_large, 3),
    (_saturated, 3),
    (_dead, 2),
    (_short_window, 2),
    (_high_rate, 2),
    (_cliff, 2),
    (_healthy, 3),
)
"""What is planted, and how often."""


def _radius(radius: float) -> Callable[[Stack], None]:
    return lambda layer: orthogonal(layer, radius)


def _identity(radius: float) -> Callable[[Stack], None]:
    return lambda layer: identity(layer, radius)


def _small_inputs(cell: str) -> Callable[[Stack], None]:
    """A start at radius one, with so small inputs that a tanh stays in its middle and a sum of them small."""

    def start(layer: Stack) -> None:
        identity(layer)
        if cell == "rnn":
            orthogonal(layer)
        with torch.no_grad():
            first_weights(layer).ih.mul_(0.01)

    return start


STORM = 50


def _stormy(examples: Examples, share: float, generator: torch.Generator) -> Examples:
    """Announce a storm of STORM steps in some rows, at least in one."""
    steps, batch = examples.inputs.shape[:2]
    rows = torch.rand(batch, generator=generator) < share
    rows[0] = True
    begins = torch.randint(0, steps - STORM, (batch,), generator=generator)
    time = torch.arange(steps)[:, None]
    storm = rows & (time >= begins) & (time < begins + STORM)
    return Examples(torch.cat([examples.inputs, storm.float().unsqueeze(-1)], -1), examples.targets)
