"""Layer normalisation inside a cell."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from elman.cells.modified.base import Modified, View
from elman.cells.weights import Weights
from elman.types import State


@dataclass(frozen=True, repr=False)
class LayerNorm(Modified):
    """What enters the gates, and the memory that the output sees, with mean 0 and variance 1 over the features.

        W_i x  becomes  gain_ih * norm(W_i x)
        W_h h  becomes  gain_hh * norm(W_h h)
        c'     becomes  gain_c * norm(c') + bias_c     where the output sees it; what is carried is c' itself

    Biases are added after it. The mean is taken over all gates at once.

    Source: J. L. Ba, J. R. Kiros and G. E. Hinton, "Layer normalization" (2016), supplement 7.4.
    """

    @property
    def parameters(self) -> Mapping[str, tuple[str | int, ...]]:
        own: dict[str, tuple[str, ...]] = {"gain_ih": (f"{len(self.gates)}H",)}
        if self.recurrent_gates:
            own["gain_hh"] = (f"{len(self.recurrent_gates)}H",)
        if self.memory is not None:
            own |= {f"gain_{self.memory}": ("H",), f"bias_{self.memory}": ("H",)}
        return {**self.inner.parameters, **own}

    def project(self, inputs: Tensor, weights: Weights) -> Tensor:
        gates = _normalized(F.linear(inputs, weights.ih), weights.gain_ih, weights.bias_ih)
        return self.with_numbers(gates, inputs, weights)

    def step(self, projected: Tensor, state: State, weights: Weights) -> State:
        return self.inner.step(projected, state, cast("Weights", _Normalized(weights, self.memory)))

    def initialize(self, weights: Weights) -> None:
        self.inner.initialize(weights)
        for name in self.parameters:
            if name.startswith("gain_"):
                nn.init.ones_(getattr(weights, name))
        if self.memory is not None:
            nn.init.zeros_(getattr(weights, f"bias_{self.memory}"))


class _Normalized(View):
    """Weights whose recurrent map and memory are normalised."""

    def __init__(self, weights: Weights, memory: str | None) -> None:
        super().__init__(weights)
        self.memory = memory

    def recurrent(self, value: Tensor, *gates: str) -> Tensor:
        weights, rows = self.weights, self.weights.rows(gates)
        result = weights.multiply(value, *gates)
        bias = None if weights.bias_hh is None else weights.bias_hh[rows]
        return _normalized(result, weights.gain_hh[rows], bias)

    def inner(self, value: Tensor) -> Tensor:
        gain, bias = (getattr(self.weights, f"{part}_{self.memory}") for part in ("gain", "bias"))
        return _normalized(value, gain, bias)


def _normalized(value: Tensor, gain: Tensor, bias: Tensor | None) -> Tensor:
    """The norm over as many features as there are gains: that number stays known where an exporter lets sizes vary."""
    return F.layer_norm(value, gain.shape, gain, bias)
