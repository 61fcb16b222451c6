"""A small training loop for experiments: one network, one problem, until it is solved or the updates are spent.

It does not know what is claimed.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from elman.cells import Weights
from elman.experiments.problems import Examples
from elman.layers import Stack

EVERY, HELD_OUT = 100, 500


class LastStep(nn.Module):
    """A recurrent layer and a linear map of its last output: (T, B, I) to (B, O).

    Args:
        layer: time first.
        outputs: O.
        window: the steps that gradients are truncated to; None for all.
    """

    def __init__(self, layer: Stack, outputs: int = 1, window: int | None = None) -> None:
        super().__init__()
        self.layer, self.window = layer, window
        self.head = nn.Linear(layer.output_size, outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        """Carry the state from window to window, without its gradient."""
        state = None
        for piece in torch.split(inputs, self.window or len(inputs)):
            output, state = self.layer.scan(piece, state)
            state = tuple(tensor.detach() for tensor in state)
        found: Tensor = self.head(output[-1])
        return found


@dataclass(frozen=True)
class Learned:
    """What training came to.

    Attributes:
        error: the loss on held-out examples, the last one measured.
        updates: until it was solved, or all that there were.
        solved: whether the error fell below the goal.
    """

    error: float
    updates: int
    solved: bool


def learn(
    network: nn.Module,
    problem: Callable[[int, torch.Generator], Examples],
    *,
    rate: float,
    updates: int,
    goal: float,
    seed: int,
    batch: int = 32,
    clip: float | None = 1.0,
    optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.Adam,
    loss: Callable[[Tensor, Tensor], Tensor] = F.mse_loss,
) -> Learned:
    """Train on fresh batches until the held-out error is below `goal`, or the updates are spent."""
    draws = torch.Generator().manual_seed(seed)
    held_out = problem(HELD_OUT, torch.Generator().manual_seed(seed + 1_000_000))
    used = optimizer(network.parameters(), lr=rate)
    error = measured(network, held_out, loss)
    for update in range(1, updates + 1):
        examples = problem(batch, draws)
        used.zero_grad()
        torch.autograd.backward(loss(network(examples.inputs), examples.targets))
        if clip is not None:
            nn.utils.clip_grad_norm_(network.parameters(), clip)
        used.step()
        if update % EVERY == 0 or update == updates:
            error = measured(network, held_out, loss)
            if not error >= goal or update == updates:
                return Learned(error, update, error < goal)
    return Learned(error, 0, error < goal)


@torch.no_grad()
def measured(network: nn.Module, examples: Examples, loss: Callable[[Tensor, Tensor], Tensor] = F.mse_loss) -> float:
    """The loss: the mean squared error, if it is not said otherwise."""
    return loss(network(examples.inputs), examples.targets).item()


def first_weights(layer: Stack) -> Weights:
    """Of the first layer and direction."""
    return layer.weights[0][0]


def every_weights(layer: Stack) -> list[Weights]:
    """Of all layers and directions."""
    return [weights for directions in layer.weights for weights in directions]


def recurrent_matrix(weights: Weights) -> Tensor:
    """The recurrent matrices of all gates."""
    assert weights.hh is not None
    return weights.hh


def bias_of(layer: Stack) -> Tensor:
    """The first of its two biases."""
    bias = first_weights(layer).bias_ih
    assert bias is not None
    return bias


@torch.no_grad()
def gate_bias(layer: Stack, gate: str, value: float) -> None:
    """Start the bias of a gate of all layers at a value."""
    place = layer.cell.gates.index(gate)
    for weights in every_weights(layer):
        size = len(weights.ih) // len(layer.cell.gates)
        rows = slice(place * size, (place + 1) * size)
        if weights.bias_ih is not None:
            weights.bias_ih[rows] = value
        if weights.bias_hh is not None:
            weights.bias_hh[rows] = 0.0


@torch.no_grad()
def orthogonal(layer: Stack, radius: float = 1.0) -> None:
    """Start the recurrent matrix of every gate at an orthogonal one, times a radius."""
    for weights in every_weights(layer):
        for block in recurrent_matrix(weights).chunk(len(layer.cell.recurrent_gates)):
            nn.init.orthogonal_(block).mul_(radius)


@torch.no_grad()
def identity(layer: Stack, radius: float = 1.0) -> None:
    """Start the recurrent matrix at the identity, times a radius, and the biases at zero (Le et al. 2015)."""
    for weights in every_weights(layer):
        nn.init.eye_(recurrent_matrix(weights)).mul_(radius)
        for bias in (weights.bias_ih, weights.bias_hh):
            if bias is not None:
                bias.zero_()
