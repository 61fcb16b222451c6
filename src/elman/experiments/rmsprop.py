"""RMSprop adapts the rate: at how many rates each optimizer learns."""

from collections.abc import Callable, Sequence
from functools import partial

import torch

from elman.experiments.base import Experiment, Outcome, interval
from elman.experiments.learning import LastStep, Learned, gate_bias, learn
from elman.experiments.problems import CHANCE, adding
from elman.layers import build

STEPS, HIDDEN, UPDATES, GOAL = 30, 32, 1000, 0.02
RATES = (0.0001, 0.001, 0.01, 0.1, 1.0)
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "SGD": torch.optim.SGD,
    "RMSprop": torch.optim.RMSprop,
    "Adam": torch.optim.Adam,
}


class RMSprop(Experiment):
    """The same network over five decades of rates."""

    name = "rmsprop"
    claim = "RMSprop adapts the learning rate by itself."
    expected = "RMSprop learns at more rates than plain gradient descent, and in fewer updates."
    method = (
        f"A GRU of {HIDDEN} units, the adding problem over {STEPS} steps, {UPDATES} updates without clipping: "
        f"updates until the error is below {GOAL}, or the error (guessing {CHANCE:.3f}) at rates from 0.0001 to 1."
    )
    usual_seeds = 2

    def run(self, seeds: Sequence[int], tell: Callable[[str], None]) -> Outcome:
        rows, works = [], {}
        for name in OPTIMIZERS:
            row = {"optimizer": name}
            works[name] = 0
            for rate in RATES:
                tell(f"{name} at {rate}")
                found = [_learnt(name, rate, seed) for seed in seeds]
                good = all(each.solved for each in found)
                works[name] += good
                row[f"rate {rate:g}"] = (
                    interval([each.updates for each in found]) if good else f"error {max(e.error for e in found):.2g}"
                )
            rows.append(row)
        return Outcome(
            rows=rows,
            measured=(
                f"Of {len(RATES)} rates RMSprop learns at {works['RMSprop']}, plain descent at {works['SGD']}, Adam at "
                f"{works['Adam']}."
            ),
            verdict="holds in part" if works["RMSprop"] >= 1 else "does not hold",
            reason=(
                "It evens out the scale of the gradients, each weight's by itself, so that it learns where plain "
                "descent crawls; the rate itself remains to be chosen, and a wrong one fails as before."
            ),
            seeds=list(seeds),
        )


def _learnt(name: str, rate: float, seed: int) -> Learned:
    torch.manual_seed(seed)
    layer = build("gru", 2, HIDDEN)
    gate_bias(layer, "z", 3.4)  # the logarithm of STEPS
    problem, used = partial(adding, STEPS), OPTIMIZERS[name]
    return learn(LastStep(layer), problem, rate=rate, updates=UPDATES, goal=GOAL, seed=seed, clip=None, optimizer=used)
