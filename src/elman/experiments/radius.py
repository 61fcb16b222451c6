"""Gradients vanish or explode because the step's Jacobian is multiplied many times: the spectral radius sweep."""

from collections.abc import Callable, Sequence

import torch

from elman.diagnosis.examine import diagnose
from elman.experiments.base import Experiment, Outcome, interval
from elman.experiments.learning import orthogonal
from elman.layers import build

STEPS, HIDDEN = 100, 64
RADII = (0.3, 0.6, 0.9, 1.0, 1.1, 1.4, 1.8)


class Radius(Experiment):
    """The factor per step against the radius of the recurrent matrix."""

    name = "radius"
    claim = "Gradients vanish if the largest eigenvalue of the recurrent matrix is below 1, and explode if it is above."
    expected = "The factor per step of lag equals the radius: below 1 it vanishes, above 1 it explodes."
    method = (
        f"Layers of {HIDDEN} units with an orthogonal recurrent matrix times a radius, {STEPS} steps of standard "
        "normal inputs, the loss on the last step; the factor per step of lag as elman.diagnose measures it, and the "
        "leading "
        'singular value of the step\'s Jacobian. "Small" is tanh with inputs and weights so small that it is linear.'
    )

    def run(self, seeds: Sequence[int], tell: Callable[[str], None]) -> Outcome:
        rows, tamed, exact = [], [], []
        for radius in RADII:
            tell(f"radius {radius}")
            found = {kind: [_measured(kind, radius, seed) for seed in seeds] for kind in ("small", "rnn", "rnn-relu")}
            exact += [abs(rate / radius - 1) for rate, _ in found["small"]]
            if radius > 1:
                tamed += [rate for rate, _ in found["rnn"]]
            rows.append(
                {"radius": radius}
                | {f"factor, {kind}": interval([rate for rate, _ in each]) for kind, each in found.items()}
                | {f"‖J‖, {kind}": interval([norm for _, norm in found[kind]]) for kind in ("rnn", "rnn-relu")}
            )
        return Outcome(
            rows=rows,
            measured=(
                f"In the linear network the factor equals the radius to {max(exact):.1g} of it. In a tanh network "
                f"with inputs of size one it lies between {min(tamed):.2f} and {max(tamed):.2f} for radii above 1."
            ),
            verdict="holds in part" if max(exact) < 0.02 and min(tamed) < 1 else "holds",
            reason=(
                "Exact where the network is linear. Elsewhere it is the Jacobian that is multiplied, not the matrix: "
                "tanh's slope below 1 and ReLU's switched-off units shrink it, so that a radius above 1 is necessary "
                "for an explosion and not sufficient, and a radius of 1 vanishes."
            ),
            seeds=list(seeds),
        )


def _measured(kind: str, radius: float, seed: int) -> tuple[float, float]:
    """The factor per step of lag, and the leading singular value in the middle."""
    torch.manual_seed(seed)
    layer = build("rnn" if kind == "small" else kind, 3, HIDDEN)
    orthogonal(layer, radius)
    inputs = torch.randn(STEPS, 8, 3)
    if kind == "small":
        with torch.no_grad():
            for name, parameter in layer.named_parameters():
                if not name.startswith("weight_hh"):
                    parameter.mul_(1e-8 * min(1.0, radius**-STEPS))
    found = diagnose(layer, inputs, lambda output: output[0][-1].sum()).layers[0]
    return found.decay_per_step, found.spectrum.values[len(found.spectrum.values) // 2][0]
