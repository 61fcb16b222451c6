"""The cell of docs/extending.md, to be measured beside the others."""

import torch
import torch.nn.functional as F
from torch import Tensor

from elman.cells import Cell, Weights
from elman.types import State


class NormedGate(Cell):
    """A gated unit whose candidate is normalised.

    z  = σ(W_z x + b_z + v * h)                how much is replaced
    n  = tanh(norm(W_n x + b_n + W_hn h + b_hn))
    h' = (1 - z) * h + z * n
    """

    gates = ("z", "n")
    recurrent_gates = ("n",)
    states = ("h",)
    parameters = {"v": ("H",)}

    def step(self, projected: Tensor, state: State, weights: Weights) -> State:
        (h,) = state
        z, n = projected.chunk(2, -1)
        z = torch.sigmoid(z + weights.v * h)
        n = n + weights.recurrent(h)
        n = torch.tanh(F.layer_norm(n, n.shape[-1:]))
        return (torch.lerp(h, n, z),)
