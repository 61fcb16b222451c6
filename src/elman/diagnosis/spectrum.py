"""Singular values of the step's Jacobian ds_t/ds_(t-1) along a sequence, with vectors only.

The Jacobian, 2H x 2H for an LSTM, is never formed: it is applied to blocks of at most VECTORS vectors, forwards and
backwards, and the leading singular values are those that it has on the two blocks reached so (a block Krylov space,
which takes half as many vectors for the same accuracy as going on with the last block alone).

Source: C. Musco and C. Musco, "Randomized block Krylov methods" (2015), algorithm 2 with two blocks.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from elman.diagnosis.sample import Sample

VECTORS = 4
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
    steps, rows = sample.projected.shape[:2]
    times = sorted({round(i * (steps - 1) / (STEPS - 1)) for i in range(STEPS)})
    jacobian = _Jacobian(sample, times, [i % rows for i in range(len(times))])
    start = torch.randn(len(times), jacobian.count, jacobian.size, generator=generator)
    moved = jacobian.forwards(start.to(jacobian.after[0]))
    lengths = start.square().sum((1, 2)).to(moved.device)
    mean_square = moved.square().sum((1, 2)) / lengths  # E |J v|² / |v|² is |J|² / N
    first = _orthonormal(moved)
    back = jacobian.backwards(first)
    both = _orthonormal(torch.cat([first, jacobian.forwards(_orthonormal(back))], 1))
    second = both[:, jacobian.count :]  # fewer than the first, or none, where the state is small
    second = F.pad(second, (0, 0, 0, jacobian.count - second.shape[1]))
    values = _singular_values(torch.cat([back, jacobian.backwards(second)], 1))
    seen = sample.steps[times].tolist()
    return Spectrum(seen, [each[: both.shape[1]] for each in values], [math.sqrt(v) for v in mean_square.tolist()])


class _Jacobian:
    """The Jacobians of K steps, by what they do to blocks (K, p, N) of p vectors; N is the size of the whole state.

    Jᵀu comes by one backward pass; it is linear in u, so that a backward pass through it, from v, brings J v.
    """

    def __init__(self, sample: Sample, times: list[int], rows: list[int]) -> None:
        self.sizes = [tensor.shape[-1] for tensor in sample.before]
        self.size = sum(self.sizes)
        self.count = min(VECTORS, self.size)
        projected = self._repeated(sample.projected[times, rows])
        before = [self._repeated(tensor[times, rows]).requires_grad_() for tensor in sample.before]
        after = sample.cell.step(projected, tuple(before), sample.weights)
        self.before, self.after = before, list(after)
        self.duals = [torch.zeros_like(tensor, requires_grad=True) for tensor in after]
        self.pulled = self._pull(self.duals, create_graph=True)

    def forwards(self, vectors: Tensor) -> Tensor:
        """J v."""
        parts = self._parts(vectors)
        found = torch.autograd.grad(
            self.pulled, self.duals, parts, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        return torch.cat(found, -1).reshape(vectors.shape)

    def backwards(self, vectors: Tensor) -> Tensor:
        """Jᵀ u."""
        return torch.cat(self._pull(self._parts(vectors)), -1).reshape(vectors.shape)

    def _pull(self, parts: Sequence[Tensor], *, create_graph: bool = False) -> tuple[Tensor, ...]:
        return torch.autograd.grad(
            self.after,
            self.before,
            parts,
            retain_graph=True,
            create_graph=create_graph,
            allow_unused=True,
            materialize_grads=True,
        )

    def _parts(self, vectors: Tensor) -> list[Tensor]:
        """A block by the tensors of the state, the vectors one below the other."""
        return list(torch.split(vectors.flatten(0, 1), self.sizes, -1))

    def _repeated(self, values: Tensor) -> Tensor:
        return values.repeat_interleave(self.count, 0)


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
