"""Networks whose decay is known in closed form, and a module like those that users write."""

import math

import pytest
import torch
from torch import nn

import elman


def zeroed(layer):
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
    return layer


def linear(radius, steps, hidden=24):
    """A tanh layer in its linear middle, with an orthogonal matrix times a radius."""
    layer = zeroed(elman.RNN(3, hidden))
    with torch.no_grad():
        nn.init.orthogonal_(layer.weight_hh_l0)
        layer.weight_hh_l0 *= radius
        layer.weight_ih_l0.normal_(std=1e-6 * min(1.0, radius**-steps))
    return layer, torch.randn(steps, 4, 3)


def rectified(radius, steps, hidden=24):
    """A ReLU layer whose values are all positive: a permutation times a radius."""
    layer = zeroed(elman.RNN(3, hidden, nonlinearity="relu"))
    with torch.no_grad():
        layer.weight_hh_l0.copy_(torch.eye(hidden)[torch.randperm(hidden)] * radius)
        layer.weight_ih_l0.uniform_()
    return layer, torch.rand(steps, 4, 3)


def clamped(keep, steps, hidden=24):
    """An LSTM whose input and output gates stand open, and whose forget gate keeps a part."""
    layer = zeroed(elman.LSTM(3, hidden))
    with torch.no_grad():
        layer.bias_ih_l0[:hidden] = 20
        layer.bias_ih_l0[hidden : 2 * hidden] = math.log(keep / (1 - keep)) if keep < 1 else 30
        layer.bias_ih_l0[3 * hidden :] = 20
        layer.weight_ih_l0[2 * hidden : 3 * hidden].normal_(std=1e-3)
    return layer, torch.randn(steps, 4, 3)


class Tangle(nn.Module):
    """What users build: batch norm, torch.nn's layers, dropout, two directions, counters and lists of its own."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(3)
        self.lower = nn.LSTM(3, 8, 2, dropout=0.3, batch_first=True)
        self.upper = elman.GRU(8, 6, bidirectional=True, batch_first=True)
        self.out = nn.Linear(12, 1)
        self.calls, self.log, self.kept = 0, [], None
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        self.log.append(self.calls)
        self.count += 1
        x = self.norm(x.flatten(0, 1)).view(x.shape)
        hidden, self.kept = self.lower(x)
        hidden, _ = self.upper(nn.functional.dropout(hidden, 0.2, self.training))
        return self.out(hidden)


def last(output):
    """A loss of the last step."""
    return output[0][-1].square().sum()


def every(output):
    """A loss of all steps."""
    return output[0].square().mean()


def compare(one, other):
    """Equal up to float tolerance."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one.keys() - {"histogram"}:  # a value may fall to either side of an edge
            compare(one[key], other[key])
    elif isinstance(one, list):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            compare(a, b)
    elif isinstance(one, float):
        assert one == pytest.approx(other, rel=1e-2, abs=1e-5)
    else:
        assert one == other
