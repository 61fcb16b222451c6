"""How far back the gradient reaches: |dL/dh_t| for every layer and every time step of a window.

It leaves the network's gradients as they were.
"""

import math
from typing import Any

import torch
from torch import Tensor

from elman.topologies.synced import SyncedManyToMany


def gradient_flow(network: SyncedManyToMany, inputs: Tensor, targets: Tensor) -> dict[str, Any]:
    """Measure the gradient within one window.

    Args:
        network: a unidirectional network; its weights' gradients are not touched.
        inputs: (T, B), what the reader takes.
        targets: (T, B), what the head takes.

    Returns:
        `window` T; `all_steps` and `last_step`, each L lists of T numbers: the norm of dL/dh_t, averaged over the rows,
        with the loss summed over all steps, and with the loss at the last step only; `verdict`, one sentence.
    """
    last = torch.zeros(targets.shape, dtype=torch.bool)
    last[-1] = True
    device = next(network.parameters()).device
    inputs, targets = inputs.to(device), targets.to(device)
    found: dict[str, Any] = {"window": len(inputs)}
    for name, scored in (("all_steps", torch.ones_like(last)), ("last_step", last)):
        found[name] = _norms(network, inputs, targets, scored.to(device))
    return found | {"verdict": verdict(found["last_step"][-1])}


def verdict(norms: list[float]) -> str:
    """Say in one sentence how far the gradient of the last step's loss reaches back, from its norms by time step."""
    if not all(math.isfinite(norm) for norm in norms):
        return "The gradient is not finite: it explodes within the window; lower the rate or clip harder."
    peak = max(norms)
    reach = next((lag for lag in range(len(norms)) if norms[-1 - lag] < peak / 100), None)
    if peak == 0 or len(norms) < 2:
        return "There is no gradient to follow in this window."
    if reach is not None:
        return (
            f"The loss at the last step reaches back {reach} steps before its gradient falls below 1 % of its largest: "
            "what lies further back teaches the network next to nothing."
        )
    return (
        f"Even {len(norms) - 1} steps back the gradient of the last step's loss is {norms[0] / peak:.0%} of its "
        "largest: a longer window would teach the network more."
    )


def _norms(network: SyncedManyToMany, inputs: Tensor, targets: Tensor, scored: Tensor) -> list[list[float]]:
    with torch.enable_grad():
        read = network.reader(inputs).detach().requires_grad_()
        features, _, states = network.recurrence(read, states=True)
        loss = network.head.loss(network.head(features), targets, scored) * scored.sum()
        torch.autograd.grad(loss, [read])
    whole = states.gradient(network.recurrence.cell.states[0])
    return [[float(step.norm(dim=1).sum()) / targets.shape[1] for step in layer] for layer in whole]
