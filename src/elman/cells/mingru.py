"""The minimal GRU, whose gate does not look at the past."""

from dataclasses import dataclass

from torch import Tensor

from elman.cells.base import Cell
from elman.cells.weights import Weights
from elman.types import State


@dataclass(frozen=True, repr=False)
class MinGRU(Cell):
    """The minimal gated recurrent unit: linear in its state.

        z  = σ(W_z x + b_z)                        how much is replaced
        h' = (1 - z) * h + z * (W_n x + b_n)

    Source: L. Feng et al., "Were RNNs all we needed?" (2024), section 3.1.
    """

    gates = ("z", "n")
    called = {"z": "update gate", "n": "candidate"}
    recurrent_gates = ()
    states = ("h",)
    replace_gate = "z"

    @property
    def name(self) -> str:
        return "mingru"

    def step(self, projected: Tensor, state: State, weights: Weights) -> State:  # noqa: ARG002 - it has none in its step
        (h,) = state
        z, n = projected.chunk(2, -1)
        return (h + z.sigmoid() * (n - h),)
