"""Each remedy acts on its own problem: the full grid of problems and remedies, wrong pairings included."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import torch
from torch import nn

from elman.experiments.base import Experiment, Outcome
from elman.experiments.learning import LastStep, Learned, gate_bias, identity, learn, orthogonal
from elman.experiments.problems import CHANCE, adding
from elman.layers import Stack, build

STEPS, HIDDEN, UPDATES, GOAL, BIAS = 60, 48, 1200, 0.02, 4.1


def _as_it_comes(_: Stack) -> None:
    """Leave the weights as they were drawn."""


@dataclass(frozen=True)
class Setting:
    """A network and how it is trained."""

    cell: str = "rnn"
    start: Callable[[Stack], object] = _as_it_comes
    rate: float = 0.003
    window: int | None = None
    optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.Adam
    clip: float | None = None
    clip_value: float | None = None


@cache
def _holds(gate: str) -> Callable[[Stack], None]:
    def start(layer: Stack) -> None:
        gate_bias(layer, gate, BIAS)
        if gate == "f":
            gate_bias(layer, "i", -BIAS)

    return start


PROBLEMS = {
    "vanishing (tanh, radius 0.7)": Setting(start=partial(orthogonal, radius=0.7)),
    "exploding (tanh, radius 3)": Setting(start=partial(orthogonal, radius=3.0)),
    "rate too high (GRU, 0.5)": Setting("gru", _holds("z"), rate=0.5),
    "window too short (LSTM, 5)": Setting("lstm", _holds("f"), window=5),
}
REMEDIES: dict[str, Callable[[Setting], Setting]] = {
    "none": lambda s: s,
    "ReLU": lambda s: replace(s, cell="rnn-relu", start=identity),
    "LSTM": lambda s: replace(s, cell="lstm", start=_holds("f")),
    "GRU": lambda s: replace(s, cell="gru", start=_holds("z")),
    "truncation": lambda s: replace(s, window=10),
    "RMSprop": lambda s: replace(s, optimizer=torch.optim.RMSprop),
    "clip norm 1": lambda s: replace(s, clip=1.0),
    "clip value 0.1": lambda s: replace(s, clip_value=0.1),
    "rate 0.003": lambda s: replace(s, rate=0.003),
    "whole window": lambda s: replace(s, window=None),
}
OWN = {
    "vanishing (tanh, radius 0.7)": {"LSTM", "GRU"},
    "exploding (tanh, radius 3)": {"LSTM", "GRU", "clip norm 1", "clip value 0.1"},
    "rate too high (GRU, 0.5)": {"rate 0.003", "RMSprop"},
    "window too short (LSTM, 5)": {"whole window"},
}
"""What texts say acts on what."""


class Remedies(Experiment):
    """Four problems, ten remedies."""

    name = "remedies"
    claim = "ReLU, LSTM and GRU help vanishing, clipping helps explosions, RMSprop the rate: each remedy its problem."
    expected = "A remedy makes the problem learnable that it is named for, and no other."
    method = (
        f"The adding problem over {STEPS} steps, networks of {HIDDEN} units, {UPDATES} updates; one thing is wrong "
        "in each "
        'row and one is changed in each column (ReLU starts at the identity, LSTM and GRU hold). "yes" where the '
        "error "
        f"fell below {GOAL} for every seed, else the worst error; guessing gives {CHANCE:.3f}."
    )
    usual_seeds = 2

    def run(self, seeds: Sequence[int], tell: Callable[[str], None]) -> Outcome:
        rows: list[dict[str, Any]] = []
        right: list[str] = []
        wrong: list[str] = []
        failed: list[str] = []
        known: dict[tuple[Setting, int], Learned] = {}
        for problem, setting in PROBLEMS.items():
            row = {"problem": problem}
            for remedy, change in REMEDIES.items():
                tell(f"{problem}: {remedy}")
                changed = change(setting)  # what leaves all as it was is not trained again
                found = [known.get((changed, seed)) or _learnt(changed, seed) for seed in seeds]
                known |= {(changed, seed): each for seed, each in zip(seeds, found, strict=True)}
                cured = all(each.solved for each in found)
                row[remedy] = "yes" if cured else f"{max(each.error for each in found):.2g}"
                own = remedy in OWN[problem]
                if own:
                    (right if cured else failed).append(f"{remedy} on {problem}")
                elif cured and remedy != "none":
                    wrong.append(f"{remedy} on {problem}")
            rows.append(row)
        return Outcome(
            rows=rows,
            measured=(
                f"{len(right)} of {len(right) + len(failed)} named pairings cure"
                + (f"; not: {', '.join(failed)}" if failed else "")
                + (f". Unnamed pairings that cure: {', '.join(wrong)}" if wrong else ". No unnamed pairing cures")
                + "."
            ),
            verdict="holds" if not failed else "holds in part" if right else "does not hold",
            reason="A remedy for another problem leaves the error at that of guessing, as a rule."
            if not failed
            else "What bounds a gradient does not make it useful: to stop a fault and to learn are two things.",
            seeds=list(seeds),
        )


def _learnt(setting: Setting, seed: int) -> Learned:
    torch.manual_seed(seed)
    layer = build(setting.cell, 2, HIDDEN)
    setting.start(layer)
    network = LastStep(layer, window=setting.window)
    if setting.clip_value is not None:
        _clip_values(network, setting.clip_value)
    return learn(
        network,
        partial(adding, STEPS),
        rate=setting.rate,
        updates=UPDATES,
        goal=GOAL,
        seed=seed,
        clip=setting.clip,
        optimizer=setting.optimizer,
    )


def _clip_values(network: nn.Module, limit: float) -> None:
    for parameter in network.parameters():
        parameter.register_hook(lambda gradient: gradient.clamp(-limit, limit))
