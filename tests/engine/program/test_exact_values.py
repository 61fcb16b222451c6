"""Steps on numbers that are equal, zero or at a limit: values and gradients are the reference's there too."""

import random

import pytest
import torch
import torch.nn.functional as F
from tests.tolerance import assert_close

from elman.cells import Cell
from elman.engine import reference
from elman.engine.program import compile_cell
from elman.engine.program.emulate import Emulator

HIDDEN, STEPS, BATCH = 5, 2, 8
GRID = torch.tensor([-1.0, -0.5, 0.0, 0.25, 0.5, 1.0, 2.0], dtype=torch.float64)


def check(function, seed=0):
    """Compare a step of two gates and a state by the emulator with the reference."""

    class Own(Cell):
        gates = ("a", "b")
        states = ("h",)
        recurrent_gates = ()

        def step(self, projected, state, weights):
            return (function(*projected.chunk(2, -1), state[0]),)

    def drawn(*shape):
        return GRID[torch.randint(len(GRID), shape)].requires_grad_()

    torch.manual_seed(seed)
    weights = Own().bundle([torch.eye(2 * HIDDEN, dtype=torch.float64), *[None] * 4])
    inputs, state = drawn(STEPS, BATCH, 2 * HIDDEN), drawn(BATCH, HIDDEN)
    output, final = reference.scan(Own(), weights, inputs, (state,))
    d = torch.randn_like(output)
    emulator = Emulator(compile_cell(Own(), weights), weights, tile=3)
    assert_close(emulator.forward(inputs.detach(), (state.detach(),)), (output, final))
    if output.requires_grad:
        found = emulator.backward(d, (torch.zeros_like(state),))
        expected = torch.autograd.grad(output, (inputs, state), d, allow_unused=True, materialize_grads=True)
        assert_close((found.input, *found.state), expected)


STEPS_OF_USERS = {
    "==": lambda a, b, h: a + (a == 0) * 0.5 * h,
    "!=": lambda a, b, h: a + (a != b) * 0.5 * h,
    "mirrored": lambda a, b, h: torch.where(a == 0, b, h) + (torch.tensor(0.5) == b) * h,
    "ne": lambda a, b, h: torch.ne(a, 0) * b - torch.eq(a, b) * h,
    "true + true": lambda a, b, h: ((a > 0) + (a < 0.5)) * h,
    "true + True": lambda a, b, h: ((a > 0) + True) * h + ((b > 0) + torch.tensor(True)) * a,
    "true + 1": lambda a, b, h: ((a > 0) + 1) * h + (b > 0) / 2 * a,
    "true * true + true": lambda a, b, h: ((a > 0) * (b > 0) + (h > 0)) * h,
    "sum of true": lambda a, b, h: ((a > 0) + (b > 0)).sum(-1, keepdim=True) * h,
    "sum of a constant": lambda a, b, h: torch.ones_like(a > 0).sum(-1, keepdim=True) * h + a,
    "& | ^ ~": lambda a, b, h: ((a > 0) & ~(b > 0) | (h > 0) ^ (a < b)) * h + (True & (a > 0)) * b,
    "logical functions of numbers": lambda a, b, h: torch.logical_or(a, b) * h + torch.logical_xor(a, h) * b,
    "logical_not and logical_and": lambda a, b, h: a.logical_not() * h + torch.logical_and(a, h > 0) * b,
    "where of true": lambda a, b, h: (torch.where(a > 0, b > 0, True) + (h > 0)) * h,
    "joined": lambda a, b, h: sum(torch.cat([a > 0, b > 0], -1).chunk(2, -1)) * h,
    "like true": lambda a, b, h: (torch.ones_like(a > 0) + (b > 0)) * h,
    "the method where": lambda a, b, h: a.where(a > b, h),
    "leaky_relu": lambda a, b, h: F.leaky_relu(a, 0.1) + F.leaky_relu(b, 2.0) - F.leaky_relu(h, -1.0),
    "softplus": lambda a, b, h: F.softplus(a, threshold=0.5) + F.softplus(b, 2.0, 1.0) - h,
    "clamp": lambda a, b, h: a.clamp(min=0) + b.clamp(max=0.5) - h.clamp(-0.5, 0.5),
    "clamp by values": lambda a, b, h: torch.clamp(a, min=b) + torch.clamp(h, max=b),
    "hardtanh": lambda a, b, h: F.hardtanh(a) * F.hardtanh(b, -0.5, 0.5) + h,
    "maximum": lambda a, b, h: torch.maximum(a, torch.zeros_like(a)) + torch.minimum(b, torch.tensor(0.5)) - h,
    "powers": lambda a, b, h: a.abs() ** 1.5 + b**3 - (h + 0.125) ** -2 + a.abs() ** 2.7,
    "an infinite slope that nothing takes": lambda a, b, h: (
        torch.where(a > 0, a, 0) ** 0.3
        + (b - 0.125).clamp(min=0).sqrt()
        - torch.maximum(h - 0.125, torch.zeros_like(h)) ** 0.5
        + F.hardtanh(h, 0.0, 3.0).sqrt()
    ),
    "elu and its like": lambda a, b, h: F.elu(a, 0.5) + F.celu(b, 2.0) - F.selu(h),
    "elu far out": lambda a, b, h: F.elu(800 * a) + F.celu(900 * b, 0.5) + h,
    "mish and softsign": lambda a, b, h: F.mish(a) + F.softsign(b) * h,
    "relu6, prelu and glu": lambda a, b, h: (
        F.relu6(6 * a) + F.prelu(b, torch.tensor(0.25, dtype=torch.float64)) + F.glu(torch.cat([a, h], -1))
    ),
    "expm1, log1p and atan": lambda a, b, h: torch.expm1(a) + torch.log1p(b.abs()) * torch.atan(h),
    "whole numbers": lambda a, b, h: torch.round(a) + torch.floor(b) * h - torch.ceil(a) * b + torch.trunc(h),
    "remainder": lambda a, b, h: a % 0.25 + torch.remainder(b, h + 3) + h % -0.5 + torch.remainder(a, 7 * b + 0.125),
    "logaddexp": lambda a, b, h: torch.logaddexp(a, b) * h,
    "detach": lambda a, b, h: a * b.detach() + (a + (torch.sign(a) - a).detach()) + (h > 0).detach() * b,
    "nothing but detached": lambda a, b, h: (a + h).detach() + 0 * b,
    "softmax": lambda a, b, h: torch.softmax(a, -1) * h + F.softmax(torch.cat([b, h], -1), -1)[:, :HIDDEN],
    "softmax far out": lambda a, b, h: torch.softmax(1000 * a, -1) + F.log_softmax(900 * b, -1),
    "log_softmax": lambda a, b, h: F.log_softmax(a, -1) * h + b,
    "largest and smallest": lambda a, b, h: a / (3 + b.amax(-1, keepdim=True)) + h * a.amin(-1, keepdim=True),
    "largest of a constant": lambda a, b, h: a * torch.ones_like(b).amax(-1, keepdim=True) + h,
    "norm": lambda a, b, h: a * b.norm(dim=-1, keepdim=True) + torch.linalg.vector_norm(h, dim=-1, keepdim=True) * b,
    "norm of zeros": lambda a, b, h: a + (0 * b).norm(dim=-1, keepdim=True) + F.normalize(0 * h, dim=-1),
    "normalize and std": lambda a, b, h: F.normalize(a, dim=-1) + b * h.std(-1, keepdim=True),
    "squares of constants": lambda a, b, h: F.rms_norm(torch.ones_like(a), (HIDDEN,), eps=0.5) * h + b,
    "norm of a row": lambda a, b, h: a.sum(-1, keepdim=True).norm(dim=-1, keepdim=True) * h + b,
    "std of equals": lambda a, b, h: a * torch.ones_like(b).std(-1, keepdim=True) + h,
    "expand_as": lambda a, b, h: torch.minimum(a.mean(-1, keepdim=True).expand_as(b), b) + h,
    "one minus, and two minus": lambda a, b, h: (1 - a) * b + h * (2 - b) - (1 - 2 * h) * (1 + a),
    "isinstance": lambda a, b, h: a * h if isinstance(a, torch.Tensor) and torch.is_tensor(h) else b,
}


@pytest.mark.parametrize("step", STEPS_OF_USERS)
def test_a_step_equals_the_reference_where_numbers_meet(step):
    check(STEPS_OF_USERS[step])


# Of values v and w, both exact in binary, and of what is true or false, t and u.
NUMBERS = (
    lambda v, w, t, u: v + w,
    lambda v, w, t, u: v - 0.5 * w,
    lambda v, w, t, u: torch.maximum(v, w),
    lambda v, w, t, u: torch.minimum(v, w),
    lambda v, w, t, u: torch.where(t, v, w),
    lambda v, w, t, u: v.masked_fill(t, 0.5),
    lambda v, w, t, u: v * t - u.sum(-1, keepdim=True) * w,
    lambda v, w, t, u: (t + 1) * v + u / 2,
    lambda v, w, t, u: F.leaky_relu(v, 2.0) - F.relu(w),
    lambda v, w, t, u: v.abs() - w.clamp(min=0) + v.clamp(-0.5, 0.5),
    lambda v, w, t, u: F.hardtanh(v) + torch.clamp(v, max=w),
)
TRUE_OR_FALSE = (
    lambda v, w, t, u: v > w,
    lambda v, w, t, u: v <= 0.5,
    lambda v, w, t, u: v == w,
    lambda v, w, t, u: v != 0,
    lambda v, w, t, u: t & u | (t ^ True),
    lambda v, w, t, u: t + u,
    lambda v, w, t, u: t * ~u,
    lambda v, w, t, u: t == u,
    lambda v, w, t, u: torch.where(t, u, v > 0),
    lambda v, w, t, u: torch.logical_or(v, t),
)


@pytest.mark.parametrize("seed", range(60))
def test_a_random_step_equals_the_reference_where_numbers_meet(seed):
    def step(a, b, h):
        draw = random.Random(seed)
        values, truths = [a, b, h], [a > b, h == 0]
        for _ in range(draw.randint(2, 8)):
            operands = (*draw.choices(values[-4:], k=2), *draw.choices(truths[-3:], k=2))
            values.append(draw.choice(NUMBERS)(*operands))
            truths.append(draw.choice(TRUE_OR_FALSE)(*operands))
        return F.hardtanh(0.25 * values[-1]) * h + truths[-1] * a

    check(step, seed)
