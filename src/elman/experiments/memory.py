"""In practice memory reaches back few steps: over which lengths the adding problem is learnt, at equal parameters."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch

from elman.experiments.base import Experiment, Outcome
from elman.experiments.gates import KINDS, SIZES
from elman.experiments.learning import LastStep, Learned, gate_bias, learn
from elman.experiments.problems import CHANCE, adding
from elman.layers import build

LENGTHS, UPDATES, GOAL = (10, 30, 100, 200), 1000, 0.02
RATES = {"rnn": 0.001, "rnn-relu": 0.0003, "lstm": 0.005, "gru": 0.005, "mingru": 0.005}
MINGRU, MINGRU_HOLDS = "minGRU, 2 layers", "minGRU, 2 layers, gate bias -5.3"
NETWORKS = KINDS | {
    MINGRU: ("mingru", lambda _: None),
    MINGRU_HOLDS: ("mingru", partial(gate_bias, gate="z", value=-5.3)),
}
UNITS, DEPTHS = SIZES | {"mingru": 90}, {"mingru": 2}
"""Of about 16 700 parameters. Without a recurrent matrix most of minGRU's are between its layers, so it has two."""


class Memory(Experiment):
    """The adding problem over growing lengths."""

    name = "memory"
    claim = "In practice a recurrent network's memory reaches back only few steps; LSTM and GRU remember far longer."
    expected = "tanh and ReLU fail from some tens of steps on; LSTM and GRU learn over hundreds."
    method = (
        f"The adding problem at lengths {', '.join(map(str, LENGTHS))}, about 16 700 parameters, at most {UPDATES} "
        "updates of Adam (rate 0.001 tanh, 0.0003 ReLU, 0.005 all others), clipped at 1. minGRU has no recurrent "
        "matrix, and its parameters are spent on a second layer. Shown are the updates until "
        f"the error is below {GOAL}; where that was not reached, the error, and longer ones are not tried. Guessing "
        f"gives {CHANCE:.3f}."
    )
    usual_seeds = 2

    def run(self, seeds: Sequence[int], tell: Callable[[str], None]) -> Outcome:
        rows: list[dict[str, Any]] = []
        reach: dict[str, int] = {}
        for kind in NETWORKS:
            row: dict[str, str] = {"network": kind} | {f"T = {length}": "not tried" for length in LENGTHS}
            reach[kind] = 0
            for length in LENGTHS:
                tell(f"{kind}, length {length}")
                found = [_learnt(kind, length, seed) for seed in seeds]
                if not all(each.solved for each in found):
                    row[f"T = {length}"] = f"error {max(each.error for each in found):.2g}"
                    break
                reach[kind] = length
                row[f"T = {length}"] = f"{max(each.updates for each in found):,}"
            rows.append(row)
        return _judged(rows, reach, seeds)


def _judged(rows: list[dict[str, Any]], reach: dict[str, int], seeds: Sequence[int]) -> Outcome:
    """What follows from the greatest length that each kind has learnt."""
    usual = ", ".join(f"{kind} up to {reach[kind]}" for kind in ("tanh", "ReLU", "LSTM", "GRU"))
    held = {kind: reach[f"{kind}, {bias} bias 5.3"] for kind, bias in (("LSTM", "forget"), ("GRU", "update"))}
    plain, gated = max(reach["tanh"], reach["ReLU"]), [reach["LSTM"], reach["GRU"]]
    late = [kind for kind in held if held[kind] > reach[kind]]
    return Outcome(
        rows=rows,
        measured=(
            f"Within {UPDATES} updates, as torch starts them: {usual}. Started to hold: LSTM up to "
            f"{held['LSTM']}, GRU up to {held['GRU']}. minGRU, linear in its state, up to {reach[MINGRU]} as "
            f"torch starts it, and up to {reach[MINGRU_HOLDS]} where its gates begin nearly closed."
        ),
        verdict="holds" if min(gated) > plain and not late else "holds in part",
        reason="LSTM and GRU reach further than plain networks"
        + (f"; but {' and '.join(late)} far only where the gates hold from the start." if late else "."),
        seeds=list(seeds),
    )


def _learnt(kind: str, length: int, seed: int) -> Learned:
    torch.manual_seed(seed)
    cell, start = NETWORKS[kind]
    layer = build(cell, 2, UNITS[cell], DEPTHS.get(cell, 1))
    start(layer)
    if kind == "ReLU, identity start":
        with torch.no_grad():
            layer.weights[0][0].ih.mul_(0.05)
    problem = partial(adding, length)
    return learn(LastStep(layer), problem, rate=RATES[cell], updates=UPDATES, goal=GOAL, seed=seed)
