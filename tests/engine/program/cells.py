"""Cells that Elman does not ship, to show that the compiler knows none in particular."""

import math

import torch
import torch.nn.functional as F

from elman.cells import CELLS, Cell, Mask

HIDDEN, INPUT = 8, 3


class LayerNormLSTM(Cell):
    """Long short-term memory with layer normalisation of the recurrent share and of the memory."""

    gates = ("i", "f", "g", "o")
    states = ("h", "c")
    parameters = {"gain": ("4H",), "cell_gain": ("H",), "cell_bias": ("H",)}  # noqa: RUF012

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
        eighth = F.elu(a) + torch.log1p(b.abs()) + torch.atan(c) - torch.expm1(-d.abs()) + torch.round(3 * a) * 0.1
        ninth = torch.softmax(a, -1) * d + b / (1 + c.abs().amax(-1, keepdim=True)) + (d - b).detach() * a
        parts = first + 0.1 * second + third * 0.3 + fourth - fifth + sixth / 2 + 0.2 * seventh
        parts = parts + 0.3 * (eighth + ninth)
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


class Kept(Cell):
    """A GRU some of whose units keep their value, by a mask for the whole sequence."""

    gates = ("r", "z", "n")
    states = ("h",)
    masks = (Mask("mask", 0, 0.7, scaled=False, each_step=False),)

    def step(self, projected, state, weights):
        (new,) = CELLS["gru"].step(projected, state, weights)
        return (torch.where(weights.mask > 0, state[0], new),)


class Numbers(Cell):
    """Single numbers of each row, of the input and of what is computed; a matrix that has H rows by chance."""

    gates = ("a", "b")
    states = ("h", "s")
    numbers = ("few", "one")
    parameters = {"few": (HIDDEN, "I"), "one": (1, "I"), "seen": (2, "H"), "vector": ("H",)}  # noqa: RUF012

    def step(self, projected, state, weights):
        h, s = state
        a, b, few, last = torch.split(projected, [HIDDEN, HIDDEN, HIDDEN, 1], -1)
        a = a + weights.recurrent(h, "a")
        keep, size = F.linear(a.tanh(), weights.seen).split(1, -1)
        s = keep.sigmoid() * s + few[:, 2:3] * b * weights.vector + few[:, 5:6]
        return (a * size + few[:, 2:3] * last).tanh() + h @ weights.seen[1:].T, s


CELLS_HERE = {
    cell.__name__: cell() for cell in (LayerNormLSTM, OwnNorm, RootMeanSquare, Zoo, Swap, Linear, Deep, Kept, Numbers)
}
ALL = CELLS | CELLS_HERE


def make_weights(name, projection=0, *, bias=True, batch=4):
    """Random weights of a cell, in float64; a mask has a row for each row of the batch."""
    cell = ALL[name]

    def random(shape):
        return (torch.randn(*shape, dtype=torch.float64) / math.sqrt(shape[-1])).requires_grad_()

    shapes = cell.shapes(INPUT, HIDDEN, bias=bias, projection=projection).values()
    made = [None if shape is None else random(shape) for shape in shapes]
    return cell.bundle([*made, *((torch.rand(batch, HIDDEN) > mask.rate).double() for mask in cell.masks)])
