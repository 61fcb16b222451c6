"""The cells of docs/gallery.md once more, as their papers write them: one matrix for each gate, a loop over time.

Nothing here knows how Elman lays out gates, or what it derives. A state is a tuple of (B, H), as the cell's.
"""

import torch
from torch import sigmoid, tanh


class Parameters:
    """Those of a layer by gate: read(gate, x) = W x + b and past(gate, h) = U h + b; all others by name."""

    def __init__(self, layer):
        self.layer, self.cell = layer, layer.plain_cell

    def __getattr__(self, name):
        return getattr(self.layer, f"{name}_l0")

    def read(self, gate, x):
        k = self.cell.gates.index(gate)
        rows = slice(k * self.layer.hidden_size, (k + 1) * self.layer.hidden_size)
        return x @ self.weight_ih[rows].T + self.bias_ih[rows]

    def past(self, gate, h):
        k = self.cell.recurrent_gates.index(gate)
        rows = slice(k * self.layer.hidden_size, (k + 1) * self.layer.hidden_size)
        return h @ self.weight_hh[rows].T + self.bias_hh[rows]

    def both(self, gate, x, h):
        return self.read(gate, x) + self.past(gate, h)


def li_gru(p, x, h):
    z, n = sigmoid(p.both("z", x, h)), torch.relu(p.both("n", x, h))
    return (z * h + (1 - z) * n,)


def janet(p, x, h):
    s, n = p.both("f", x, h), tanh(p.both("n", x, h))
    return (sigmoid(s) * h + (1 - sigmoid(s - 1)) * n,)


def multiplicative_lstm(p, x, h, c):
    m = p.read("m", x) * p.past("m", h)
    i, f, o = (sigmoid(p.both(gate, x, m)) for gate in "ifo")
    c = f * c + i * tanh(p.both("n", x, m))
    return o * tanh(c), c


def ordered_lstm(p, x, h, c):
    keep = torch.cumsum(torch.softmax(p.both("F", x, h), -1), -1)
    write = 1 - torch.cumsum(torch.softmax(p.both("I", x, h), -1), -1)
    i, f, o = (sigmoid(p.both(gate, x, h)) for gate in "ifo")
    overlap = keep * write
    forget, new = f * overlap + (keep - overlap), i * overlap + (write - overlap)
    c = forget * c + new * tanh(p.both("n", x, h))
    return o * tanh(c), c


def recurrent_highway(p, x, h):
    H = h.shape[-1]
    n, t = tanh(p.both("n", x, h)), sigmoid(p.both("t", x, h))
    s = n * t + h * (1 - t)
    for first in (0, 2 * H):
        rows_n, rows_t = slice(first, first + H), slice(first + H, first + 2 * H)
        n, t = tanh(s @ p.R[rows_n].T + p.b[rows_n]), sigmoid(s @ p.R[rows_t].T + p.b[rows_t])
        s = n * t + s * (1 - t)
    return (s,)


def fast_grnn(p, x, h):
    both = p.read("w", x) + (h @ p.U_2) @ p.U_1.T
    z, n = sigmoid(both + p.b_z), tanh(both + p.b_n)
    return ((sigmoid(p.zeta) * (1 - z) + sigmoid(p.nu)) * n + z * h,)


def qrnn(p, x, h, c, *before):
    z, f, o = (p.read(gate, x) + seen for gate, seen in zip("zfo", before, strict=True))
    c = sigmoid(f) * c + (1 - sigmoid(f)) * tanh(z)
    return sigmoid(o) * c, c, *(p.read(f"V_{gate}", x) for gate in "zfo")


def antisymmetric(p, x, h):
    M, gamma, epsilon = p.weight_hh, 0.01, 0.1
    past = h @ M.T - h @ M - gamma * h + p.bias_hh
    return (h + epsilon * sigmoid(p.read("z", x) + past) * tanh(p.read("n", x) + past),)


def exp_rnn(p, x, h):
    A = torch.triu(p.weight_hh, 1)
    a = p.read("a", x) + h @ torch.linalg.matrix_exp(A - A.T).T + p.bias_hh
    return (torch.sign(a) * torch.relu(torch.abs(a) + p.b),)


def co_rnn(p, x, y, z):
    delta, gamma, epsilon = 0.042, 2.7, 4.7
    z = z + delta * (tanh(p.both("z", x, y) + z @ p.V.T) - gamma * y - epsilon * z)
    return y + delta * z, z


def lem(p, x, y, z):
    d_z, d_y = sigmoid(p.both("d_z", x, y)), sigmoid(p.both("d_y", x, y))
    z = (1 - d_z) * z + d_z * tanh(p.both("z", x, y))
    return (1 - d_y) * y + d_y * tanh(p.both("y", x, z)), z


def lmu(p, x, h, m):
    u = x @ p.e_x.T + h @ p.e_h.T + m @ p.e_m.T
    m = m @ p.A.T + u @ p.B[None]
    return tanh(p.both("n", x, h) + m @ p.W_m.T), m


def ltc(p, x, h):
    d = x[:, :1] / 6
    for _ in range(6):
        f = sigmoid(p.both("f", x, h))
        h = (h + d * f * p.A) / (1 + d * (1 / torch.exp(p.tau) + f))
    return (h,)


def cf_c(p, x, h):
    share = sigmoid(-p.both("f", x, h) * x[:, :1])
    return (share * tanh(p.both("g", x, h)) + (1 - share) * tanh(p.both("k", x, h)),)


def phased_lstm(p, x, h, c):
    phase = torch.remainder(x[:, :1] - p.s, p.tau) / p.tau
    rising, falling = phase < p.r / 2, (phase >= p.r / 2) & (phase < p.r)
    k = 0.001 * phase * ~(rising | falling) + 2 * phase / p.r * rising + (2 - 2 * phase / p.r) * falling
    i, f, o = (sigmoid(p.both(gate, x, h)) for gate in "ifo")
    new = f * c + i * tanh(p.both("n", x, h))
    return k * o * tanh(new) + (1 - k) * h, k * new + (1 - k) * c


def clockwork(p, x, h, n):
    group = torch.cat([torch.full_like(part, k) for k, part in enumerate(p.T.tensor_split(4))])
    seen = p.weight_hh.masked_fill(group[None, :] < group[:, None], 0)
    moved = tanh(p.read("h", x) + h @ seen.T + p.bias_hh)
    return torch.where(n.long() % (2 ** group.long()) == 0, moved, h), n + 1


def echo_state(p, x, h):
    return (0.7 * h + 0.3 * tanh(p.both("h", x, h)),)


def gated_linear(p, x, h, *S):
    S = torch.stack(S, 1)  # keys, values
    a, k, q, v = sigmoid(x @ p.a.T) ** (1 / 16), x @ p.k.T, x @ p.q.T, p.read("v", x)
    S = a[:, :, None] * S + torch.einsum("bk,bv->bkv", k, v)
    return torch.einsum("bk,bkv->bv", q, S), *S.unbind(1)


def gated_delta(p, x, h, *S):
    S = torch.stack(S, 2)  # values, keys, as in the paper
    k, q = (torch.nn.functional.normalize(x @ matrix.T, dim=-1) for matrix in (p.k, p.q))
    alpha = torch.exp(-torch.exp(p.A) * torch.log1p(torch.exp(x @ p.alpha.T + p.d)))
    beta, v = sigmoid(x @ p.beta.T)[:, :, None], p.read("v", x)
    projector = torch.eye(k.shape[1], dtype=x.dtype) - beta * torch.einsum("bi,bj->bij", k, k)
    S = alpha[:, :, None] * (S @ projector) + beta * torch.einsum("bv,bk->bvk", v, k)
    return torch.einsum("bvk,bk->bv", S, q), *S.unbind(2)


def mlstm(p, x, h, m, *memory):
    K = len(memory) // 2
    C, n = torch.stack(memory[:K], 1), torch.stack(memory[K:], 1)
    i, f, o, v = (p.read(gate, x) for gate in "ifov")
    k, q = x @ p.k.T / K**0.5, x @ p.q.T
    kept = torch.log(sigmoid(f)) + m
    m = torch.maximum(kept, i)
    i, f = torch.exp(i - m)[:, None], torch.exp(kept - m)[:, None]
    C = f * C + i * k[:, :, None] * v[:, None]
    n = f * n + i * k[:, :, None]
    size = torch.einsum("bkh,bk->bh", n, q).abs()
    return (
        sigmoid(o) * torch.einsum("bkh,bk->bh", C, q) / torch.maximum(size, torch.exp(-m)),
        m,
        *C.unbind(1),
        *n.unbind(1),
    )
