"""The same weights serve every step, so that no length is fixed in advance: does what was learnt hold beyond it?"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch

from elman.experiments.base import Experiment, Outcome, interval
from elman.experiments.learning import HELD_OUT, LastStep, gate_bias, learn, measured
from elman.experiments.problems import CHANCE, adding
from elman.layers import build

TRAINED, HIDDEN, FACTORS = 30, 48, (1, 2, 4, 8)


class Lengths(Experiment):
    """Train at one length, use at 2, 4 and 8 times that."""

    name = "lengths"
    claim = "The same weights serve every step: no length is fixed in advance."
    expected = (
        "The number of parameters does not depend on T, and a network trained at length L works at 2L, 4L and 8L."
    )
    method = (
        f"The adding problem at length {TRAINED}, trained to a mean squared error of 0.003 or for 3000 updates "
        f"({HIDDEN} units, Adam at 0.005; gates that hold over L), then used on longer ones. Guessing gives 0.167."
    )

    def run(self, seeds: Sequence[int], tell: Callable[[str], None]) -> Outcome:
        rows: list[dict[str, Any]] = []
        far = []
        for cell in ("gru", "lstm"):
            errors: dict[int, list[float]] = {factor: [] for factor in FACTORS}
            for seed in seeds:
                tell(f"{cell}, seed {seed}")
                network = _trained(cell, seed)
                for factor in FACTORS:
                    problem = adding(TRAINED * factor, HELD_OUT, torch.Generator().manual_seed(seed))
                    errors[factor].append(measured(network, problem))
            far += errors[FACTORS[-1]]
            count = sum(p.numel() for p in LastStep(build(cell, 2, HIDDEN)).parameters())
            columns = {f"error at {factor}L": interval(errors[factor], 2) for factor in FACTORS}
            rows.append({"cell": cell, "parameters at any T": f"{count:,}"} | columns)
        works = max(far) < CHANCE / 2
        return Outcome(
            rows=rows,
            measured=(
                f"The parameters are the same at every length; at 8L the error is {min(far):.2g} to {max(far):.2g}, "
                f"where guessing gives {CHANCE:.3f}."
            ),
            verdict="holds" if works else "holds in part",
            reason="What was learnt carries over to eight times the length."
            if works
            else "Any length can be computed; that what was learnt at one length holds at another is not so: the error "
            "grows with the length, up to that of guessing or beyond.",
            seeds=list(seeds),
        )


def _trained(cell: str, seed: int) -> LastStep:
    torch.manual_seed(seed)
    layer = build(cell, 2, HIDDEN)
    gate_bias(layer, "z" if cell == "gru" else "f", 3.4)  # the logarithm of L
    network = LastStep(layer)
    learn(network, partial(adding, TRAINED), rate=0.005, updates=3000, goal=0.003, seed=seed)
    return network
