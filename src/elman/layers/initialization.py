"""How the weights of a layer begin: named ways, each a function that sets one direction's weights in place.

It does not know layers; names and shapes of weights are the cell's.
"""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from elman.cells import Cell, Weights
from elman.errors import UsageError


class Init(NamedTuple):
    """A way to begin, and the number of steps that it is made for; 0 if it does not ask."""

    name: str
    steps: int = 0


def parse(text: str) -> Init:
    """Read the name of a way: torch, keras, orthogonal, identity, forget-bias, or chrono:STEPS.

    Raises:
        UsageError: if there is none of that name.

    """
    name, colon, steps = text.partition(":") if isinstance(text, str) else (text, "", "")
    if name == "chrono":
        if not steps.isdecimal() or int(steps) < 3:
            raise UsageError(f"init={text!r} does not say over how many steps to remember; give one such as chrono:784")
        return Init(name, int(steps))
    if name not in WAYS or colon:
        raise UsageError(f"unknown init {text!r}; choose one of {', '.join(WAYS)}, or chrono:STEPS")
    return Init(name)


@torch.no_grad()
def initialize(init: Init, cell: Cell, weights: Weights, hidden: int) -> None:
    """Set the weights of one layer in one direction.

    Args:
        init: the way.
        cell: with all that its options add.
        weights: the parameters themselves.
        hidden: H.

    """
    bound = 1 / math.sqrt(hidden) if hidden else 0.0
    for tensor in weights.flat():
        nn.init.uniform_(tensor, -bound, bound)  # other packages replace it to keep weights that were loaded
    adjust(init, cell, weights, hidden)


@torch.no_grad()
def adjust(init: Init, cell: Cell, weights: Weights, hidden: int) -> None:
    """The same for weights that are as torch begins already."""
    cell.initialize(weights)
    if init.name == "chrono":
        _chrono(cell, weights, hidden, init.steps)
    else:
        WAYS[init.name](cell, weights, hidden)


def _torch(cell: Cell, weights: Weights, hidden: int) -> None:
    """Everything uniform in ±1/√H, as torch.nn does."""


def _keras(cell: Cell, weights: Weights, hidden: int) -> None:
    """Glorot uniform input weights, orthogonal recurrent ones, no bias but 1 at the forget gate."""
    nn.init.xavier_uniform_(weights.ih)
    if weights.hh is not None:
        nn.init.orthogonal_(weights.hh)
    _clear(weights.bias_ih, weights.bias_hh)
    if cell.keep_gate == "f" and weights.bias_ih is not None:
        _forget_bias(cell, weights, hidden)


def _orthogonal(cell: Cell, weights: Weights, _hidden: int) -> None:
    """Every gate's recurrent matrix orthogonal, so that it neither shrinks nor stretches; no biases.

    Source: A. M. Saxe, J. L. McClelland and S. Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep
    linear neural networks" (2014).
    """
    for block in _squares(cell, weights, "orthogonal"):
        nn.init.orthogonal_(block)
    _clear(weights.bias_ih, weights.bias_hh)


def _identity(cell: Cell, weights: Weights, _hidden: int) -> None:
    """Every gate's recurrent matrix the identity, small input weights, no biases: with ReLU, the IRNN.

    Source: Q. V. Le, N. Jaitly and G. E. Hinton, "A simple way to initialize recurrent networks of rectified linear
    units" (2015).
    """
    for block in _squares(cell, weights, "identity"):
        nn.init.eye_(block)
    nn.init.normal_(weights.ih, 0, 0.001)
    _clear(weights.bias_ih, weights.bias_hh)


def _forget_bias(cell: Cell, weights: Weights, hidden: int) -> None:
    """Bias 1 at the gate that keeps the past, so that a new network remembers.

    Source: R. Jozefowicz, W. Zaremba and I. Sutskever, "An empirical exploration of recurrent network architectures"
    (2015).
    """
    gate, sign = _keep_gate(cell, weights, "forget-bias")
    _set_bias(cell, weights, hidden, gate, sign * torch.ones(hidden, device=weights.ih.device))


def _chrono(cell: Cell, weights: Weights, hidden: int, steps: int) -> None:
    """Biases such that units remember over 1 to `steps` - 1 steps.

    Source: C. Tallec and Y. Ollivier, "Can recurrent neural networks warp time?" (2018).
    """
    gate, sign = _keep_gate(cell, weights, "chrono")
    spread = torch.empty(hidden, device=weights.ih.device).uniform_(1, steps - 1).log()
    _set_bias(cell, weights, hidden, gate, sign * spread)
    if "i" in cell.gates:
        _set_bias(cell, weights, hidden, "i", -spread)


WAYS: dict[str, Callable[[Cell, Weights, int], None]] = {
    "torch": _torch,
    "keras": _keras,
    "orthogonal": _orthogonal,
    "identity": _identity,
    "forget-bias": _forget_bias,
}


def _keep_gate(cell: Cell, weights: Weights, name: str) -> tuple[str, int]:
    """The gate that keeps the past, and the sign of the bias that it does so with."""
    gate = cell.keep_gate or cell.replace_gate
    if gate is None or weights.bias_ih is None:
        lacks = "has no such gate" if gate is None else "has no biases here"
        raise UsageError(f"init={name!r} sets the bias of the gate that keeps the past, but {cell.name} {lacks}")
    return gate, 1 if cell.keep_gate else -1


def _squares(cell: Cell, weights: Weights, name: str) -> Iterator[Tensor]:
    """The recurrent matrix of each gate, (H, P)."""
    if weights.hh is None:
        raise UsageError(f"init={name!r} sets recurrent matrices, and {cell.name} has none; choose another")
    yield from weights.hh.chunk(len(cell.recurrent_gates))


def _set_bias(cell: Cell, weights: Weights, hidden: int, gate: str, value: Tensor) -> None:
    """The sum of both biases of a gate."""
    for bias, gates, own in ((weights.bias_ih, cell.gates, value), (weights.bias_hh, cell.recurrent_gates, 0.0)):
        if bias is not None and gate in gates:
            bias.view(len(gates), hidden)[gates.index(gate)] = own


def _clear(*biases: Tensor | None) -> None:
    for bias in biases:
        if bias is not None:
            nn.init.zeros_(bias)
