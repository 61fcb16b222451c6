"""What all contenders of a row are given: one layer's weights and an input, the same for each.

It does not know who computes it.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from elman.benchmarks.base import Shape
from elman.benchmarks.kink import off_the_kink
from elman.cells import CELLS

LAYERS: dict[str, Callable[..., nn.RNNBase]] = {
    "lstm": nn.LSTM,
    "gru": nn.GRU,
    "rnn": nn.RNN,
    "rnn-relu": partial(nn.RNN, nonlinearity="relu"),
}
"""torch.nn's layer of each cell, by the cell's name in `elman.cells.CELLS`."""

STEP_LAYERS: dict[str, Callable[..., nn.RNNCellBase]] = {
    "lstm": nn.LSTMCell,
    "gru": nn.GRUCell,
    "rnn": nn.RNNCell,
    "rnn-relu": partial(nn.RNNCell, nonlinearity="relu"),
}
"""The same, of one time step."""


@dataclass(frozen=True, eq=False)
class Problem:
    """One layer and its input.

    Attributes:
        cell: the cell's name.
        shape: the sizes.
        layer: torch.nn's, never run itself.
        x: (T, B, I).
        lengths: (B,) int64, or None for full rows.

    """

    cell: str
    shape: Shape
    layer: nn.RNNBase
    x: Tensor
    lengths: Tensor | None = None

    @classmethod
    def make(cls, cell: str, shape: Shape, *, bidirectional: bool = False, unequal: bool = False) -> "Problem":
        """Draw weights and input, and lengths uniform in T/10..T if they are to be unequal; the same each time."""
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(0)
            x = torch.randn(shape.T, shape.B, shape.I)
            lengths = torch.randint(max(1, shape.T // 10), shape.T + 1, (shape.B,)) if unequal else None
            layer = LAYERS[cell](shape.I, shape.H, bidirectional=bidirectional)
            if cell == "rnn-relu":
                x = off_the_kink(layer, x, lengths)
        return cls(cell, shape, layer, x, lengths)

    @property
    def weights(self) -> dict[str, Tensor]:
        """The weights under torch.nn's names, detached."""
        return {name: tensor.detach() for name, tensor in self.layer.named_parameters()}

    def fresh_layer(self) -> nn.RNNBase:
        """torch.nn's layer, a copy of its own for each contender."""
        return copy.deepcopy(self.layer)

    def step_layer(self) -> nn.RNNCellBase:
        """torch.nn's layer of one time step, with the same weights."""
        made = STEP_LAYERS[self.cell](self.shape.I, self.shape.H)
        made.load_state_dict({name.removesuffix("_l0"): tensor for name, tensor in self.weights.items()})
        return made

    def operations(self, *, training: bool) -> int:
        """The floating-point operations of all matmuls over the real steps.

        Training does three times those of forward: the gradients of what enters and of the weights need as many each.
        """
        steps = self.shape.T * self.shape.B if self.lengths is None else int(self.lengths.sum())
        rows = len(CELLS[self.cell].gates) * self.shape.H * (2 if self.layer.bidirectional else 1)
        return 2 * steps * rows * (self.shape.I + self.shape.H) * (3 if training else 1)
