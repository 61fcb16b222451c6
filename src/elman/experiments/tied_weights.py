"""A recurrent network is a feed-forward network with tied weights, and their gradients add up over the steps."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from elman.cells import Weights
from elman.experiments.base import Experiment, Outcome, interval
from elman.layers import build
from elman.types import State

STEPS, HIDDEN = 25, 32


class TiedWeights(Experiment):
    """The same steps written out, with a copy of the weights for each."""

    name = "tied-weights"
    claim = "A recurrent network is a feed-forward network with tied weights; the gradients of tied weights add up."
    expected = "The unrolled network gives the same output, and the gradients of its copies sum to the layer's."
    method = (
        f"A layer of {HIDDEN} units over {STEPS} steps beside the same steps written out with {STEPS} copies of its "
        "weights; the loss is summed over the steps; float32. Differences are relative to the norm."
    )

    def run(self, seeds: Sequence[int], tell: Callable[[str], None]) -> Outcome:
        rows, worst = [], 0.0
        for cell in ("rnn", "rnn-relu", "lstm", "gru"):
            tell(cell)
            found = [_compared(cell, seed) for seed in seeds]
            worst = max(worst, *(value for each in found for value in each[:2]))
            output, gradient, first = ([each[i] for each in found] for i in range(3))
            rows.append(
                {
                    "cell": cell,
                    "difference of the outputs": f"{max(output):.1e}",
                    "difference of the gradients": f"{max(gradient):.1e}",
                    "first step's share of the sum": interval(first, 2),
                }
            )
        holds = worst < 1e-5
        return Outcome(
            rows=rows,
            measured=f"Outputs and summed gradients agree to {worst:.0e}, the rounding of float32.",
            verdict="holds" if holds else "does not hold",
            reason="One network of as many layers as steps, and one matrix in all of them."
            if holds
            else "The unrolled network differs by more than rounding.",
            seeds=list(seeds),
        )


def _compared(cell: str, seed: int) -> tuple[float, float, float]:
    """Relative differences of outputs and gradients, and the first step's part of the summed gradient."""
    torch.manual_seed(seed)
    layer = build(cell, 3, HIDDEN)
    inputs = torch.randn(STEPS, 4, 3)
    output, _ = layer.scan(inputs)
    whole = torch.autograd.grad(output.square().sum(), list(layer.parameters()))
    copies = [_copy(layer.weights[0][0]) for _ in range(STEPS)]
    state: State = tuple(inputs.new_zeros(4, size) for size in layer.cell.state_sizes(HIDDEN))
    outputs = []
    for x, weights in zip(inputs, copies, strict=True):
        state = layer.cell.step(weights.project(x), state, weights)
        outputs.append(state[0])
    unrolled = torch.stack(outputs)
    flat = [tensor for weights in copies for tensor in weights.flat()]
    by_step = torch.autograd.grad(unrolled.square().sum(), flat)
    count = len(whole)
    summed = [torch.stack(by_step[k::count]).sum(0) for k in range(count)]
    first = _joined(by_step[:count]).norm() / _joined(summed).norm()
    return _difference(unrolled, output), _difference(_joined(summed), _joined(whole)), float(first)


def _copy(weights: Weights) -> Weights:
    found = (None if tensor is None else tensor.detach().clone().requires_grad_() for tensor in weights)
    return type(weights)._make(found)


def _joined(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([tensor.flatten() for tensor in tensors])


def _difference(one: Tensor, other: Tensor) -> float:
    return float((one - other).detach().norm() / other.detach().norm())
