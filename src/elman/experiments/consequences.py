"""What vanishing and exploding gradients lead to: updates to a target, loss, accuracy, runs that leave the numbers."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from elman.diagnosis.examine import diagnose
from elman.experiments.base import Experiment, Outcome, Verdict, interval
from elman.experiments.learning import HELD_OUT, LastStep, gate_bias, orthogonal
from elman.experiments.problems import SYMBOLS, recall
from elman.layers import Stack, build

LAG, HIDDEN, UPDATES, EVERY, GOAL, BIAS = 20, 32, 500, 10, 0.1, 3.0
"""BIAS is the logarithm of LAG."""

Optimizer = Callable[..., torch.optim.Optimizer]
ADAM: Optimizer = partial(torch.optim.Adam, lr=0.003)
SGD: Optimizer = partial(torch.optim.SGD, lr=0.1)


@dataclass(frozen=True)
class Trained:
    """What became of a run.

    Attributes:
        factor: of the gradient per step of lag, at the start.
        updates: after which the held-out loss was first below the goal; None if it never was.
        loss: at the end.
        accuracy: at the end.
        finite: whether all losses were finite.
    """

    factor: float
    updates: int | None
    loss: float
    accuracy: float
    finite: bool


@dataclass(frozen=True)
class Setting:
    """A network, and how it is trained."""

    cell: str
    start: Callable[[Stack], object]
    optimizer: Optimizer = ADAM
    clip: float | None = None


def _tanh(radius: float, clip: float | None = None) -> Setting:
    return Setting("rnn", partial(orthogonal, radius=radius), clip=clip)


def _relu(clip: float | None = None) -> Setting:
    return Setting("rnn-relu", partial(orthogonal, radius=2.0), SGD, clip)


HEALTHY, HOLDING = _tanh(1.0), Setting("gru", partial(gate_bias, gate="z", value=BIAS))
NEITHER, WEAK, STRONG, GATED, BOUNDED, UNBOUNDED = (
    "neither (tanh, radius 1)",
    *("vanishing (tanh, radius 0.7)", "vanishing (tanh, radius 0.4)", "vanishing (GRU as torch starts it)"),
    *("exploding (tanh, radius 3)", "exploding (ReLU, radius 2, plain descent)"),
)
GRU, HOLDS, CLIP = "GRU that holds", "holds from the start", "clip norm 1"
SETTINGS: dict[tuple[str, str], Setting] = {
    (NEITHER, ""): HEALTHY,
    (WEAK, ""): _tanh(0.7),
    (WEAK, "radius 1"): HEALTHY,
    (STRONG, ""): _tanh(0.4),
    (STRONG, GRU): HOLDING,
    (GATED, ""): Setting("gru", lambda _: None),
    (GATED, HOLDS): HOLDING,
    (BOUNDED, ""): _tanh(3.0),
    (BOUNDED, CLIP): _tanh(3.0, clip=1.0),
    (BOUNDED, GRU): HOLDING,
    (UNBOUNDED, ""): _relu(),
    (UNBOUNDED, CLIP): _relu(clip=1.0),
}
"""By the problem and its remedy, the latter empty where there is none."""

Found = dict[tuple[str, str], list[Trained]]


class Consequences(Experiment):
    """Problems with and without their remedies."""

    name = "consequences"
    claim = "Vanishing and exploding gradients lead to long training, poor performance, bad accuracy and crashes."
    expected = (
        "Beside a network with neither, one with either needs more updates or never gets there, ends with a higher "
        "loss and less accuracy, or leaves the finite numbers; with the remedy it does not."
    )
    method = (
        f"Delayed recall of one of {SYMBOLS} symbols over {LAG} steps, networks of {HIDDEN} units, {UPDATES} updates "
        "of Adam at 0.003 without clipping, or of plain descent at 0.1; radii are those of an orthogonal recurrent "
        f"matrix; a GRU that holds has an update bias of {BIAS:g}. Updates until the held-out cross-entropy is below "
        f"{GOAL} (the median, endless for those that never got there), it and the accuracy at the end (guessing: "
        f"{math.log(SYMBOLS):.2f} and {1 / SYMBOLS:.0%}), runs with a loss that is not finite; the gradient's factor "
        "per step of lag at the start, as elman.diagnose measures it."
    )
    usual_seeds = 5

    def run(self, seeds: Sequence[int], tell: Callable[[str], None]) -> Outcome:
        done: dict[Setting, list[Trained]] = {}
        for (problem, remedy), setting in SETTINGS.items():
            tell(f"{problem}, {remedy or 'no remedy'}")
            if setting not in done:
                done[setting] = [_trained(setting, seed) for seed in seeds]
        found = {key: done[setting] for key, setting in SETTINGS.items()}
        rows = [{"problem": problem, "remedy": remedy or "–"} | _row(each) for (problem, remedy), each in found.items()]
        return Outcome(rows, _measured(found), *_judged(found), list(seeds))


def _row(found: list[Trained]) -> dict[str, str]:
    finite = [each for each in found if each.finite]
    return {
        "factor per step": interval([each.factor for each in found], 2),
        "reached the goal": f"{_reached(found)} of {len(found)}",
        "updates": f"{_updates(found):,.0f}" if math.isfinite(_updates(found)) else "–",
        "loss at the end": interval([each.loss for each in finite], 2) if finite else "not a number",
        "accuracy": interval([100 * each.accuracy for each in found]) + " %",
        "not finite": f"{len(found) - len(finite)} of {len(found)}",
    }


def _reached(found: list[Trained]) -> int:
    return sum(each.updates is not None for each in found)


def _updates(found: list[Trained]) -> float:
    """The median; infinite where most runs never got there."""
    return statistics.median(math.inf if each.updates is None else each.updates for each in found)


def _measured(found: Found) -> str:
    updates = {problem: f"{_updates(found[problem, '']):.0f}" for problem, _ in SETTINGS}
    accuracy = {key: f"{statistics.fmean(each.accuracy for each in runs):.0%}" for key, runs in found.items()}
    lost = {key: f"{sum(not each.finite for each in runs)} of {len(runs)}" for key, runs in found.items()}
    return (
        f"Longer training: {updates[NEITHER]} updates without a problem, {updates[WEAK]} where the gradient vanishes a "
        f"little, {updates[BOUNDED]} where it explodes under tanh, {updates[GATED]} for a GRU as it comes and "
        f"{_updates(found[GATED, HOLDS]):.0f} for one that holds. Bad accuracy: {accuracy[STRONG, '']} at radius 0.4, "
        f"{accuracy[STRONG, GRU]} with the remedy. Not finite: {lost[UNBOUNDED, '']} ReLU networks without clipping, "
        f"{lost[UNBOUNDED, CLIP]} with it, at an accuracy of {accuracy[UNBOUNDED, CLIP]}. No run was ended by an error."
    )


def _judged(found: Found) -> tuple[Verdict, str]:
    """Verdict and reason."""
    healthy = _updates(found[NEITHER, ""])
    longer = min(_updates(found[problem, ""]) for problem in (WEAK, BOUNDED, GATED)) > healthy
    worse = all(each.updates is None for each in found[STRONG, ""])
    lost = any(not each.finite for each in found[UNBOUNDED, ""])
    if not (longer or worse or lost):
        return "does not hold", "None of it was seen."
    if not (longer and worse and lost):
        return "holds in part", "Not all of it was seen."
    mild = [each for problem in (WEAK, GATED, BOUNDED) for each in found[problem, ""]]
    clipped = len(found[BOUNDED, CLIP]) - _reached(found[BOUNDED, CLIP])
    return "holds in part", (
        "Each of it was seen, but by no means all together: where the gradient vanishes or explodes moderately, it "
        f"costs updates, and now and then the run, but {_reached(mild)} of {len(mild)} get there without a remedy. "
        + (f"Clipping did not mend tanh's explosion in {clipped} of {len(found[BOUNDED, CLIP])} runs. " * bool(clipped))
        + '"Crashes" is overstated: nothing crashes. The loss is no number from some update on, and training goes on '
        "to the end without a word, unless somebody looks."
    )


def _trained(setting: Setting, seed: int) -> Trained:
    """All updates are made, whatever becomes of the numbers: nothing but an error of torch would end a run early."""
    torch.manual_seed(seed)
    layer = build(setting.cell, 2 * SYMBOLS, HIDDEN)
    setting.start(layer)
    factor = _factor(layer, seed)
    network, draws = LastStep(layer, SYMBOLS), torch.Generator().manual_seed(seed)
    held_out = recall(LAG, HELD_OUT, torch.Generator().manual_seed(seed + 1_000_000))
    optimizer, reached, finite = setting.optimizer(network.parameters()), None, True
    for update in range(1, UPDATES + 1):
        examples = recall(LAG, 32, draws)
        optimizer.zero_grad()
        loss = F.cross_entropy(network(examples.inputs), examples.targets)
        torch.autograd.backward(loss)
        if setting.clip is not None:
            nn.utils.clip_grad_norm_(network.parameters(), setting.clip)
        optimizer.step()
        finite &= math.isfinite(loss.item())
        if update % EVERY == 0:
            with torch.no_grad():
                scores = network(held_out.inputs)
            error = F.cross_entropy(scores, held_out.targets).item()
            reached = update if reached is None and error < GOAL else reached
    accuracy = (scores.argmax(-1) == held_out.targets).float().mean().item()
    return Trained(factor, reached, error, accuracy, finite and math.isfinite(error))


def _factor(layer: Stack, seed: int) -> float:
    inputs = recall(LAG, 8, torch.Generator().manual_seed(seed)).inputs
    return diagnose(layer, inputs, lambda output: output[0][-1].sum()).layers[0].decay_per_step
