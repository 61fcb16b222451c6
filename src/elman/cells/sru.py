"""The simple recurrent unit: gates that see their own unit of the memory only."""

from dataclasses import dataclass

from torch import Tensor

from elman.cells.base import Cell
from elman.cells.weights import Weights
from elman.types import State


@dataclass(frozen=True, repr=False)
class SRU(Cell):
    """The simple recurrent unit, with a projected highway.

        f  = σ(W_f x + b_f + v_f * c)              what is kept
        r  = σ(W_r x + b_r + v_r * c)              how much of the memory is shown
        c' = f * c + (1 - f) * (W_c x + b_c)
        h' = r * c' + (1 - r) * (W_x x + b_x)

    Source: T. Lei et al., "Simple recurrent units for highly parallelizable recurrence" (2018).
    """

    gates = ("c", "f", "r", "x")
    called = {"c": "candidate", "f": "forget gate", "r": "reset gate", "x": "highway"}
    keep_gate = "f"
    recurrent_gates = ()
    states = ("h", "c")
    parameters = {"v_f": ("H",), "v_r": ("H",)}

    def step(self, projected: Tensor, state: State, weights: Weights) -> State:
        _, c = state
        new, f, r, x = projected.chunk(4, -1)
        f = (f + weights.v_f * c).sigmoid()
        r = (r + weights.v_r * c).sigmoid()
        c = new + f * (c - new)
        return x + r * (c - x), c
