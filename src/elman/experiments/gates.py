"""ReLU, LSTM and GRU help against vanishing gradients: as they come, and as they should be started."""

from collections.abc import Callable, Sequence

import torch

from elman.diagnosis.examine import diagnose
from elman.experiments.base import Experiment, Outcome, interval
from elman.experiments.learning import gate_bias, identity
from elman.layers import Stack, build

STEPS, LAG = 200, 100
SIZES = {"rnn": 128, "rnn-relu": 128, "gru": 73, "lstm": 63}
"""Hidden units for about 16 700 parameters with 2 inputs."""


def _hold(gates: dict[str, float]) -> Callable[[Stack], None]:
    def start(layer: Stack) -> None:
        for gate, bias in gates.items():
            gate_bias(layer, gate, bias)

    return start


KINDS: dict[str, tuple[str, Callable[[Stack], None]]] = {
    "tanh": ("rnn", _hold({})),
    "ReLU": ("rnn-relu", _hold({})),
    "ReLU, identity start": ("rnn-relu", identity),
    "LSTM": ("lstm", _hold({})),
    "LSTM, forget bias 1": ("lstm", _hold({"f": 1.0})),
    "LSTM, forget bias 5.3": ("lstm", _hold({"f": 5.3, "i": -5.3})),
    "GRU": ("gru", _hold({})),
    "GRU, update bias 5.3": ("gru", _hold({"z": 5.3})),
}


class Gates(Experiment):
    """The gradient at a lag, at equal parameters."""

    name = "gates"
    claim = "ReLU, LSTM and GRU solve the problem of vanishing gradients."
    expected = f"At lag {LAG} a ReLU network, an LSTM and a GRU keep a part of the gradient of which tanh has lost all."
    method = (
        f"Networks of about 16 700 parameters at their start on the adding problem's inputs, {STEPS} steps, 16 rows, "
        f"the loss on the last step: the factor per step, the part of the gradient at lag {LAG}."
    )

    def run(self, seeds: Sequence[int], tell: Callable[[str], None]) -> Outcome:
        rows, usual = [], {}
        for kind in KINDS:
            tell(kind)
            found = [_measured(kind, seed) for seed in seeds]
            rates, parts, horizons = ([each[i] for each in found] for i in range(3))
            usual[kind] = max(parts)
            seen = [h for h in horizons if h < STEPS]
            rows.append(
                {
                    "network": kind,
                    "factor per step": interval(rates),
                    f"gradient at lag {LAG}": " … ".join(dict.fromkeys((f"{min(parts):.0e}", f"{max(parts):.0e}"))),
                    "horizon": interval(seen) if len(seen) == len(horizons) else f"beyond {STEPS - 1}",
                }
            )
        lost = all(usual[kind] < 1e-6 for kind in ("ReLU", "LSTM", "GRU"))
        return Outcome(
            rows=rows,
            measured=(
                f"As torch starts them, at most {usual['ReLU']:.0e} (ReLU), {usual['LSTM']:.0e} (LSTM) and "
                f"{usual['GRU']:.0e} (GRU) of the gradient is left at lag {LAG}, tanh {usual['tanh']:.0e}; started "
                f"to hold, {usual['LSTM, forget bias 5.3']:.0%} (LSTM), {usual['GRU, update bias 5.3']:.0%} (GRU) and "
                f"{usual['ReLU, identity start']:.0%} (ReLU at the identity)."
            ),
            verdict="does not hold" if lost else "holds in part",
            reason=(
                "The cell alone changes little: what helps is a start at which the gates hold, or the identity. With "
                "the usual start LSTM and GRU forget half every step or two, as tanh does. That is the start: what "
                "each then learns to hold is measured by `memory`."
            ),
            seeds=list(seeds),
        )


def _measured(kind: str, seed: int) -> tuple[float, float, float]:
    """Factor per step, the part at LAG, the horizon."""
    torch.manual_seed(seed)
    cell, start = KINDS[kind]
    layer = build(cell, 2, SIZES[cell])
    start(layer)
    inputs = torch.rand(STEPS, 16, 2)
    inputs[..., 1] = (inputs[..., 1] < 2 / STEPS).float()
    found = diagnose(layer, inputs, lambda output: output[0][-1].sum()).layers[0]
    return found.decay_per_step, found.gradient_norm_by_lag[LAG] / found.gradient_norm_by_lag[0], found.horizon
