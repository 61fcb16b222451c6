"""Truncated back-propagation through time: what a window costs, what it leaves of the gradient, what can be learnt."""

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch.nn import functional as F

from elman.diagnosis.examine import diagnose
from elman.experiments.base import Experiment, Outcome, interval
from elman.experiments.learning import LastStep, Learned, gate_bias, learn
from elman.experiments.problems import CHANCE, adding
from elman.layers import build

STEPS, HIDDEN, WINDOWS, UPDATES, GOAL = 100, 48, (5, 10, 25, 50, 100), 1200, 0.02
WARM_UP = 5


class Truncation(Experiment):
    """One network, five windows."""

    name = "truncation"
    claim = "Truncated back-propagation makes long sequences affordable, at little loss."
    expected = "Time per update falls with the window; the truncated gradient points where the whole one does."
    method = (
        f"A GRU of {HIDDEN} units that holds from the start, the adding problem over {STEPS} steps, the state "
        "carried from window to window without its gradient: time of an update beside the whole, cosine and length "
        f"of the truncated gradient at the start, and whether it is learnt in {UPDATES} updates (error below {GOAL}; "
        f"guessing {CHANCE:.3f})."
    )
    usual_seeds = 2

    def run(self, seeds: Sequence[int], tell: Callable[[str], None]) -> Outcome:
        rows, solved = [], {}
        seconds = {window: _seconds(window) for window in WINDOWS}
        for window in WINDOWS:
            tell(f"window {window}")
            found = [_learnt(window, seed) for seed in seeds]
            flow = [(1.0, 1.0) if window == STEPS else _flow(window, seed) for seed in seeds]
            solved[window] = all(each.solved for each in found)
            rows.append(
                {
                    "window": window,
                    "time of an update": f"{1000 * seconds[window]:.1f} ms",
                    "cosine": interval([cosine for cosine, _ in flow], 2),
                    "kept of the gradient": interval([kept for _, kept in flow], 2),
                    "learnt": f"in {max(each.updates for each in found):,}"
                    if solved[window]
                    else f"no, error {max(each.error for each in found):.2g}",
                }
            )
        least = min((window for window in WINDOWS if solved[window]), default=STEPS)
        fastest = min(seconds.values()) / seconds[STEPS]
        return Outcome(
            rows=rows,
            measured=(
                f"Learnt with windows from {least} of {STEPS} steps on. The fastest update takes {fastest:.0%} of "
                "the whole one's time; of memory it needs the window's part."
            ),
            verdict="holds in part",
            reason=(
                "What it saves is memory; the arithmetic of every step stays. How much is lost depends on the "
                "network: this one holds its state from the start, so that the nearby gradient points as the whole "
                "one does, though most of its length is cut away. A network that does not hold yet gets no hint from "
                "a window to begin to."
            ),
            seeds=list(seeds),
        )


def _network(window: int, seed: int) -> LastStep:
    torch.manual_seed(seed)
    layer = build("gru", 2, HIDDEN)
    gate_bias(layer, "z", 4.6)  # the logarithm of STEPS
    return LastStep(layer, window=window)


def _learnt(window: int, seed: int) -> Learned:
    problem = partial(adding, STEPS)
    return learn(_network(window, seed), problem, rate=0.005, updates=UPDATES, goal=GOAL, seed=seed)


def _flow(window: int, seed: int) -> tuple[float, float]:
    network, examples = _network(window, seed), adding(STEPS, 32, torch.Generator().manual_seed(seed))
    found = diagnose(network, examples.inputs, lambda output: F.mse_loss(output, examples.targets))
    return found.truncation[window], found.kept[window]


def _seconds(window: int) -> float:
    """The median time of a gradient."""
    network, examples = _network(window, 0), adding(STEPS, 32, torch.Generator().manual_seed(0))
    times = []
    for _ in range(WARM_UP + 15):
        begun = time.perf_counter()
        torch.autograd.backward(F.mse_loss(network(examples.inputs), examples.targets))
        times.append(time.perf_counter() - begun)
    return statistics.median(times[WARM_UP:])
