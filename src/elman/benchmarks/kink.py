"""Inputs for which no unit of a ReLU network stands at zero, where its derivative jumps.

Of a million units a few lie so near zero that two correct ways, which add up in another order, round them to different
sides; their gradients then differ by as much as one unit matters (measured: 7e-3 of the largest value at B,T,I,H =
20,35,640,640), and could not be compared. It does not know what the inputs are for.
"""

import torch
from torch import Tensor, nn

MARGIN = 1e-5
"""Several times the error of a float32 sum."""


def off_the_kink(layer: nn.Module, x: Tensor, lengths: Tensor | None) -> Tensor:
    """Draw the rows of x (T, B, I) anew, from torch's generator, until none has a unit within the margin of zero."""
    x = x.clone()
    ends = torch.full((x.shape[1],), len(x)) if lengths is None else lengths
    near = torch.arange(x.shape[1])
    while len(near := near[_distances(layer, x[:, near], ends[near]) < MARGIN]):
        x[:, near] = torch.randn(len(x), len(near), x.shape[2])
    return x


def _distances(layer: nn.Module, x: Tensor, lengths: Tensor) -> Tensor:
    """How near to zero the nearest unit of each row comes, (B,), in float64."""
    weights = {name: tensor.detach().double() for name, tensor in layer.named_parameters()}
    x, least = x.double(), torch.full((x.shape[1],), torch.inf, dtype=torch.float64)
    for end in ("l0", "l0_reverse")[: 2 if layer.bidirectional else 1]:
        ih, hh = weights[f"weight_ih_{end}"].t(), weights[f"weight_hh_{end}"].t()
        bias = weights[f"bias_ih_{end}"] + weights[f"bias_hh_{end}"]
        h = x.new_zeros(x.shape[1], int(ih.shape[1]))
        for t in range(len(x)) if end == "l0" else reversed(range(len(x))):
            sums, real = x[t] @ ih + h @ hh + bias, t < lengths
            h = torch.where(real[:, None], sums.relu(), h)
            least = torch.where(real, torch.minimum(least, sums.abs().amin(1)), least)
    return least
