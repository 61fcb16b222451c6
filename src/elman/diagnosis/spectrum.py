"""Singular values of the step's Jacobian ds_t/ds_(t-1) along a sequence, with vectors only.

The Jacobian, 2H x 2H for an LSTM, is never formed: it is applied to blocks of at most VECTORS vectors, forwards and
backwards, and the leading singular values come from the small matrix that is left.

Source: N. Halko, P. G. Martinsson and J. A. Tropp, "Finding structure with randomness" (2011), algorithms 4.4 and 5.1.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd import forward_ad

from elman.cells import Weights
from elman.diagnosis.sample import Sample
from elman.types import State

VECTORS = 8
STEPS = 6


@dataclass(frozen=True)
class Spectrum:
    """Singular values at some steps.

    Attributes:
        steps: t, counted in the order of reading.
        values: for each of them the leading singular values, the largest first.
        mean_square: for each of them the root mean square of all singular values, estimated by random vectors.
    """

    steps: list[int]
    values: list[list[float]]
    mean_square: list[float]


def spectrum(sample: Sample, generator: torch.Generator) -> Spectrum:
    """Measure at a few steps of a sample, each on another row. The random vectors come from `generator`."""
    length, rows = sample.inputs.shape[:2]
    times = sorted({round(i * (length - 1) / (STEPS - 1)) for i in range(STEPS)})
    chosen = [i % rows for i in range(len(times))]
    jacobian = _Jacobian(sample.to(torch.promote_types(sample.inputs.dtype, torch.float32)), times, chosen)
    count = min(VECTORS, jacobian.size)
    start = torch.randn(len(times), count, jacobian.size, generator=generator)
    start /= start.norm(dim=-1, keepdim=True)
    moved = jacobian.forwards(start.to(jacobian.projected))
    mean_square = moved.square().sum((1, 2)) / count  # E |J v|² of a random unit vector v is |J|² / N
    for _ in range(1):
        moved = jacobian.forwards(_orthonormal(jacobian.backwards(_orthonormal(moved))))
    small = jacobian.backwards(_orthonormal(moved))
    values = _singular_values(small)
    return Spectrum(times, values, [math.sqrt(value) for value in mean_square.tolist()])


class _Jacobian:
    """The Jacobians of K steps, by what they do to vectors (K, p, N); N is the size of the whole state."""

    def __init__(self, sample: Sample, times: list[int], rows: list[int]) -> None:
        self.cell, self.weights = sample.cell, sample.weights
        self.projected = self.weights.project(sample.inputs[times, rows])
        self.before = tuple(tensor[times, rows] for tensor in sample.before)
        self.sizes = [tensor.shape[-1] for tensor in self.before]
        self.size = sum(self.sizes)

    def forwards(self, vectors: Tensor) -> Tensor:
        """J v, by forward differentiation."""
        projected, before, weights = self._repeated(vectors.shape[1])
        with forward_ad.dual_level():
            parts = torch.split(vectors.flatten(0, 1), self.sizes, -1)
            duals = tuple(forward_ad.make_dual(s, v) for s, v in zip(before, parts, strict=True))  # type: ignore[no-untyped-call]
            after = self.cell.step(projected, duals, weights)
            tangents = [forward_ad.unpack_dual(tensor).tangent for tensor in after]  # type: ignore[no-untyped-call]
            found = [torch.zeros_like(s) if t is None else t for s, t in zip(before, tangents, strict=True)]
        return torch.cat(found, -1).reshape(vectors.shape)

    def backwards(self, vectors: Tensor) -> Tensor:
        """Jᵀ v, by backward differentiation."""
        projected, before, weights = self._repeated(vectors.shape[1])
        before = tuple(tensor.requires_grad_() for tensor in before)
        after = self.cell.step(projected, before, weights)
        parts = torch.split(vectors.flatten(0, 1), self.sizes, -1)
        pairs = [(a, v) for a, v in zip(after, parts, strict=True) if a.requires_grad]
        found = torch.autograd.grad(
            [a for a, _ in pairs], before, [v for _, v in pairs], allow_unused=True, materialize_grads=True
        )
        return torch.cat(found, -1).reshape(vectors.shape)

    def _repeated(self, count: int) -> tuple[Tensor, State, Weights]:
        before = tuple(tensor.repeat_interleave(count, 0) for tensor in self.before)
        return self.projected.repeat_interleave(count, 0), before, self.weights


def _orthonormal(vectors: Tensor) -> Tensor:
    """An orthonormal basis of the rows, (K, p, N)."""
    basis: Tensor = torch.linalg.qr(vectors.transpose(1, 2)).Q.transpose(1, 2)
    return basis


def _singular_values(rows: Tensor) -> list[list[float]]:
    """By the eigenvalues of the p x p products; not-a-number where a value is not finite."""
    if not bool(rows.isfinite().all()):
        return [[math.nan] for _ in rows]
    squares = torch.linalg.eigvalsh(rows @ rows.transpose(1, 2))
    found: list[list[float]] = squares.clamp(min=0).sqrt().flip(-1).tolist()
    return found
