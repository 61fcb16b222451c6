"""The linear recurrent unit: a diagonal recurrence of complex numbers."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from elman.cells.base import Cell
from elman.cells.weights import Weights
from elman.types import State


@dataclass(frozen=True, repr=False)
class LRU(Cell):
    """The linear recurrent unit: H complex numbers, each turned and shrunk by its own λ at every step.

        λ  = exp(-exp(ν) + i θ),  γ = exp(log γ)
        s' = λ * s + γ * (W_s x + b_s)             s, W_s and b_s complex: the states re and im
        h' = C_re re' - C_im im' + W_d x + b_d

    Source: A. Orvieto et al., "Resurrecting recurrent neural networks for long sequences" (2023).
    """

    gates = ("re", "im", "d")
    called = {"re": "input, real part", "im": "input, imaginary part", "d": "direct input"}
    recurrent_gates = ()
    states = ("h", "re", "im")
    parameters = {
        "nu": ("H",),
        "theta": ("H",),
        "log_gamma": ("H",),
        "C_re": ("H", "H"),
        "C_im": ("H", "H"),
    }

    def derive(self, weights: Weights) -> Weights:
        """λ's real part in place of ν, its imaginary part in place of θ, and γ in place of its logarithm."""
        size = (-weights.nu.exp()).exp()
        cos, sin = size * weights.theta.cos(), size * weights.theta.sin()
        return weights.replaced(nu=cos, theta=sin, log_gamma=weights.log_gamma.exp())

    def step(self, projected: Tensor, state: State, weights: Weights) -> State:
        _, re, im = state
        x_re, x_im, x_d = projected.chunk(3, -1)
        turn_re, turn_im, gamma = weights.nu, weights.theta, weights.log_gamma
        re, im = turn_re * re - turn_im * im + gamma * x_re, turn_re * im + turn_im * re + gamma * x_im
        return x_d + F.linear(re, weights.C_re) - F.linear(im, weights.C_im), re, im

    def initialize(self, weights: Weights) -> None:
        """λ spread evenly over a ring between the radii 0.9 and 0.999, and γ such that states have the input's size."""
        inner, outer = 0.9**2, 0.999**2
        radius = (inner + (outer - inner) * torch.rand_like(weights.nu)).sqrt()
        weights.nu.copy_((-radius.log()).log())
        weights.theta.uniform_(0, 2 * math.pi)
        weights.log_gamma.copy_((1 - radius.square()).log() / 2)
