"""Clipping to a threshold stops explosions: the largest update, and who survives."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from elman.experiments.base import Experiment, Outcome, interval
from elman.experiments.learning import LastStep, orthogonal
from elman.experiments.problems import CHANCE, adding
from elman.layers import build

STEPS, HIDDEN, UPDATES, RATE, LIMIT = 60, 48, 300, 0.05, 1.0
RADII = (1.0, 1.2, 1.5)


class Clipping(Experiment):
    """Plain gradient descent with and without clipping."""

    name = "clipping"
    claim = "Clipping the gradient to a threshold stops explosions."
    expected = "The largest update equals rate times threshold; clipped runs stay finite where unclipped ones do not."
    method = (
        f"ReLU networks of {HIDDEN} units with an orthogonal matrix times a radius, the adding problem over {STEPS} "
        f"steps, {UPDATES} updates of plain gradient descent at the rate {RATE}, clipped to the norm {LIMIT:g} or "
        f"not. A run survives if all of its losses are finite; guessing gives {CHANCE:.3f}."
    )
    usual_seeds = 5

    def run(self, seeds: Sequence[int], tell: Callable[[str], None]) -> Outcome:
        rows, survived, learnt, largest = [], {True: 0, False: 0}, [], 0.0
        for radius in RADII:
            for clipped in (False, True):
                tell(f"radius {radius}, {'clipped' if clipped else 'not clipped'}")
                found = [_trained(radius, seed, clipped=clipped) for seed in seeds]
                alive = [each for each in found if each is not None]
                survived[clipped] += len(alive)
                largest = max([largest, *(step for step, _ in alive if clipped)])
                learnt += [error for _, error in alive if clipped and radius > 1]
                rows.append(
                    {
                        "radius": radius,
                        "clipped": "yes" if clipped else "no",
                        "survived": f"{len(alive)} of {len(found)}",
                        "largest update": f"{max((step for step, _ in alive), default=float('nan')):.3g}",
                        "error at the end": interval([error for _, error in alive], 2) if alive else "–",
                    }
                )
        runs = len(RADII) * len(seeds)
        exact = largest <= RATE * LIMIT * 1.001
        return Outcome(
            rows=rows,
            measured=(
                f"With clipping {survived[True]} of {runs} runs survived, without {survived[False]}; the largest "
                f"clipped update is {largest:.4g}, rate times threshold {RATE * LIMIT:.4g}. At radii above 1 the "
                f"clipped runs ended at an error of {min(learnt, default=float('nan')):.2g} or more."
            ),
            verdict="holds in part" if exact and survived[True] > survived[False] else "does not hold",
            reason=(
                "Clipping bounds the update, exactly, and keeps runs alive. It does not make the exploding gradient a "
                "useful one: the direction is still the farthest steps', and what explodes at the start learns badly."
            ),
            seeds=list(seeds),
        )


def _trained(radius: float, seed: int, *, clipped: bool) -> tuple[float, float] | None:
    """The largest update's norm and the last losses' mean; None where the loss left the finite numbers."""
    torch.manual_seed(seed)
    layer = build("rnn-relu", 2, HIDDEN)
    orthogonal(layer, radius)
    network, draws = LastStep(layer), torch.Generator().manual_seed(seed)
    parameters, problem = list(network.parameters()), partial(adding, STEPS, 32)
    largest, losses = 0.0, []
    for _ in range(UPDATES):
        examples = problem(draws)
        loss = F.mse_loss(network(examples.inputs), examples.targets)
        losses.append(loss.item())
        gradients = torch.autograd.grad(loss, parameters)
        norm = float(nn.utils.get_total_norm(gradients))
        if not (loss.isfinite() and norm < float("inf")):
            return None
        scale = min(1.0, LIMIT / norm) if clipped and norm > 0 else 1.0
        largest = max(largest, RATE * scale * norm)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.sub_(gradient, alpha=RATE * scale)
    return largest, sum(losses[-50:]) / 50
