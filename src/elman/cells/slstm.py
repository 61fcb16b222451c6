"""Long short-term memory with exponential gates, the scalar cell of xLSTM."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from elman.cells.base import Cell
from elman.cells.weights import Weights
from elman.types import State


@dataclass(frozen=True, repr=False)
class SLSTM(Cell):
    """Long short-term memory with exponential gates, kept in range by a stabiliser m and a normaliser n.

        z  = tanh(W_iz x + b_iz + W_hz h + b_hz)           candidate
        i~ = W_ii x + b_ii + W_hi h + b_hi                 what is written, as a logarithm
        f~ = log σ(W_if x + b_if + W_hf h + b_hf)          what is kept, as a logarithm
        o  = σ(W_io x + b_io + W_ho h + b_ho)              what is shown
        m' = max(f~ + m, i~)                               i~ where nothing has been written yet (n = 0)
        i  = exp(i~ - m'),  f = exp(f~ + m - m')
        c' = f * c + i * z
        n' = f * n + i
        h' = o * c' / n'

    Source: M. Beck et al., "xLSTM: extended long short-term memory" (2024), section 2.2, with one head.
    """

    gates = ("z", "i", "f", "o")
    called = {"z": "cell input", "i": "input gate", "f": "forget gate", "o": "output gate"}
    keep_gate = "f"
    states = ("h", "c", "n", "m")

    @property
    def name(self) -> str:
        return "slstm"

    def step(self, projected: Tensor, state: State, weights: Weights) -> State:
        h, c, n, m = state
        z, i, f, o = (projected + weights.recurrent(h)).chunk(4, -1)
        kept = F.logsigmoid(f) + m
        m = torch.where(n > 0, torch.maximum(kept, i), i)
        i, f = (i - m).exp(), (kept - m).clamp(max=0).exp()
        c = f * c + i * z.tanh()
        n = f * n + i
        return o.sigmoid() * c / n, c, n, m
