"""Cells that Elman does not ship, to show that the compiler knows none in particular."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from elman.cells import CELLS, Cell, Weights

HIDDEN, INPUT = 8, 3


class ResetBefore(Cell):
    """The gated recurrent unit of Cho et al. and of Keras: the reset gate is applied before the matmul."""

    gates = ("r", "z", "n")
    states = ("h",)

    def step(self, projected, state, weights):
        (h,) = state
        x_r, x_z, x_n = projected.chunk(3, -1)
        h_r, h_z, _ = weights.recurrent(h).chunk(3, -1)
        r, z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
        n = torch.tanh(x_n + weights.recurrent(r * h)[:, 2 * h.shape[-1] :])
        return ((1 - z) * n + z * h,)


class MinimalGated(Cell):
    """G.-B. Zhou et al. (2016): one gate, and the candidate's matmul written with slices of the matrix."""

    gates = ("f", "h")
    states = ("h",)

    def step(self, projected, state, weights):
        (h,) = state
        size = h.shape[-1]
        x_f, x_h = projected[:, :size], projected[..., size:]
        f = (x_f + F.linear(h, weights.hh[:size], weights.bias_hh[:size])).sigmoid()
        candidate = (x_h + F.linear(f * h, weights.hh[size:], weights.bias_hh[size:])).tanh()
        return (torch.lerp(h, candidate, f),)


class PeepholeWeights(NamedTuple):
    ih: Tensor
    hh: Tensor
    bias_ih: Tensor | None
    bias_hh: Tensor | None
    hr: Tensor | None
    peephole: Tensor

    project, recurrent, output, flat = Weights.project, Weights.recurrent, Weights.output, Weights.flat


class Peephole(Cell):
    """Long short-term memory whose gates see the cell: F. A. Gers and J. Schmidhuber (2000)."""

    gates = ("i", "f", "g", "o")
    states = ("h", "c")

    def step(self, projected, state, weights):
        h, c = state
        p_i, p_f, p_o = weights.peephole.chunk(3)
        i, f, g, o = (projected + weights.recurrent(h)).chunk(4, -1)
        c = (f + p_f * c).sigmoid() * c + (i + p_i * c).sigmoid() * g.tanh()
        return weights.output((o + p_o * c).sigmoid() * c.tanh()), c


class NormWeights(NamedTuple):
    ih: Tensor
    hh: Tensor
    bias_ih: Tensor | None
    bias_hh: Tensor | None
    hr: Tensor | None
    gain: Tensor
    cell_gain: Tensor
    cell_bias: Tensor

    project, recurrent, output, flat = Weights.project, Weights.recurrent, Weights.output, Weights.flat


class LayerNormLSTM(Cell):
    """Long short-term memory with layer normalisation: J. L. Ba et al. (2016)."""

    gates = ("i", "f", "g", "o")
    states = ("h", "c")

    def step(self, projected, state, weights):
        h, c = state
        recurrent = weights.recurrent(h)
        i, f, g, o = (projected + F.layer_norm(recurrent, recurrent.shape[1:], weights.gain)).chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        shown = F.layer_norm(c, c.shape[1:], weights.cell_gain, weights.cell_bias)
        return weights.output(o.sigmoid() * shown.tanh()), c


class OwnNorm(Cell):
    """Normalisation spelt out with means and variances, over all gates at once."""

    gates = ("a", "b")
    states = ("h",)

    def step(self, projected, state, weights):
        total = projected + weights.recurrent(state[0])
        centred = total - total.mean(-1, keepdim=True)
        scaled = centred / (total.var(-1, keepdim=True, unbiased=False) + 0.1).sqrt()
        a, b = scaled.chunk(2, -1)
        whole = state[0].sum(-1, keepdim=True)
        return ((a * b.sigmoid() + whole.tanh() - 0.1 * (whole - a) / (1 + whole * whole)).tanh(),)


class RootMeanSquare(Cell):
    """Only the second of two normalised blocks is used."""

    gates = ("a", "b")
    states = ("h",)

    def step(self, projected, state, weights):
        total = projected + weights.recurrent(state[0])
        _, used = F.layer_norm(total, (2 * HIDDEN,), eps=1e-3).chunk(2, -1)
        return (F.rms_norm(used, (HIDDEN,), eps=1e-2) * 0.5 + state[0] * 0.1,)


class Zoo(Cell):
    """Every operation that a step may contain, once."""

    gates = ("a", "b", "c", "d")
    states = ("h", "s")

    def step(self, projected, state, weights):
        h, s = state
        a, b, c, d = (projected + weights.recurrent(h)).chunk(4, -1)
        first = a.abs() * torch.sign(b) + F.softplus(c) - F.silu(d) / (1 + a * a)
        second = torch.exp(-b.square()) + (a.pow(2) + 0.5).log() + (b**2 + 1).sqrt() + (c.square() + 1).rsqrt()
        third = torch.maximum(a, b) - torch.minimum(c, d) + torch.where(a > b, c, d * 2) + a.clamp(-0.3, 0.4)
        fourth = F.gelu(a) + F.gelu(b, approximate="tanh") + F.logsigmoid(c) + d.clamp(min=0.1) + F.leaky_relu(a)
        fifth = torch.erf(a) + torch.sin(b) * torch.cos(c) + 2 / (3 + d.exp()) + (a.abs() + 1) ** 0.3 + b.clamp(max=0.2)
        sixth = torch.where((c >= 0) & ~(d < 0), a, 0.0) + F.relu(b) * (a <= b) + torch.addcmul(a, b, c, value=0.5)
        seventh = 1 / (a**3 - 7) + (b.square() + 1).reciprocal() - (-c) + a.masked_fill(b > 0, 0.25) + F.hardtanh(d)
        parts = first + 0.1 * second + third * 0.3 + fourth - fifth + sixth / 2 + 0.2 * seventh
        return torch.tanh(parts + 0.5 * s), torch.tanh(s - 0.3 * parts + torch.zeros_like(s))


class Swap(Cell):
    """States that change places, one untouched, one constant: what is carried must not be overwritten too early."""

    gates = ("a",)
    states = ("h", "s", "kept", "constant")

    def step(self, projected, state, weights):
        h, s, kept, constant = state
        return s, h, kept, torch.ones_like(constant) / 2


class Linear(Cell):
    """No nonlinearity at all, a matmul straight into the state, and one state that is a delayed other."""

    gates = ("a",)
    states = ("h", "before")

    def step(self, projected, state, weights):
        h, before = state
        return projected + weights.recurrent(before * 0.5), h


class Deep(Cell):
    """Two matmuls, one after the other, with the same matrix; its blocks serve several products."""

    gates = ("a", "b")
    states = ("h",)

    def step(self, projected, state, weights):
        (h,) = state
        a, b = (projected + weights.recurrent(h)).chunk(2, -1)
        inner = a.tanh() * b
        c, d = weights.recurrent(inner).split(h.shape[-1], dim=-1)
        return ((inner + c.sigmoid() * d).tanh() + inner @ weights.hh[HIDDEN:].T,)


class Stabilised(Cell):
    """An exponential gate with a stabiliser and a normaliser, as in xLSTM: M. Beck et al. (2024)."""

    gates = ("z", "i", "f", "o")
    states = ("h", "c", "n", "m")

    def step(self, projected, state, weights):
        h, c, n, m = state
        z, i, f, o = (projected + weights.recurrent(h)).chunk(4, -1)
        forget = F.logsigmoid(f) + m
        new = torch.maximum(forget, i)
        i, f = (i - new).exp(), (forget - new).exp()
        c, n = f * c + i * z.tanh(), f * n + i
        return o.sigmoid() * c / (n.abs() + 1), c, n, new


class MaskedWeights(NamedTuple):
    ih: Tensor
    hh: Tensor
    bias_ih: Tensor | None
    bias_hh: Tensor | None
    hr: Tensor | None
    mask: Tensor

    project, recurrent, output, flat = Weights.project, Weights.recurrent, Weights.output, Weights.flat


class Zoneout(Cell):
    """A GRU some of whose units keep their value, by a mask for the whole sequence."""

    gates = ("r", "z", "n")
    states = ("h",)

    def step(self, projected, state, weights):
        (new,) = CELLS["gru"].step(projected, state, Weights(*weights[:5]))
        return (torch.where(weights.mask > 0, state[0], new),)


CELLS_HERE = {
    cell.__name__: cell()
    for cell in (
        *(ResetBefore, MinimalGated, Peephole, LayerNormLSTM, OwnNorm, RootMeanSquare, Zoo, Swap, Linear, Deep),
        *(Stabilised, Zoneout),
    )
}
ALL = CELLS | CELLS_HERE
MORE = {"Peephole": (PeepholeWeights, (3,)), "LayerNormLSTM": (NormWeights, (4, 1, 1))}


def make_weights(name, projection=0, *, bias=True, batch=4):
    """Random weights of a cell, in float64; a mask has a row for each row of the batch."""
    cell = ALL[name]
    rows, output = len(cell.gates) * HIDDEN, projection or HIDDEN

    def random(*shape):
        return (torch.randn(*shape, dtype=torch.float64) / math.sqrt(shape[-1])).requires_grad_()

    plain = [random(rows, INPUT), random(rows, output)]
    plain += [random(rows), random(rows)] if bias else [None, None]
    plain += [random(projection, HIDDEN) if projection else None]
    if name == "Zoneout":
        return MaskedWeights(*plain, (torch.rand(batch, HIDDEN) < 0.3).double())
    kind, more = MORE.get(name, (Weights, ()))
    return kind(*plain, *(random(count * HIDDEN) for count in more))
