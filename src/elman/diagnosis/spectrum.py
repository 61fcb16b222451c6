"""Singular values of the step's Jacobian ds_t/ds_(t-1) along a sequence, with vectors only.

The Jacobian, 2H x 2H for an LSTM, is never formed: it is applied to blocks of at most VECTORS vectors, backwards and
forwards, and the leading singular values are those that it has on the two blocks reached so (a block Krylov space,
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


def spectra(samples: Sequence[Sample], generator: torch.Generator) -> list[Spectrum]:
    """Measure at a few steps, each on another row, of samples of the same size: the directions of a layer.

    The random vectors come from `generator`.
    """
    steps, rows = samples[0].projected.shape[:2]
    times = sorted({round(i * (steps - 1) / (STEPS - 1)) for i in range(STEPS)})
    jacobians = _Jacobians(samples, times, [i % rows for i in range(len(times))], generator)
    first = _orthonormal(jacobians.start)
    moved = jacobians.forwards(first)
    both = _orthonormal(torch.cat([first, jacobians.backwards(moved)], -1))
    second = both[..., first.shape[-1] :]  # fewer than the first, or none, where the state is small
    second = F.pad(second, (0, first.shape[-1] - second.shape[-1]))
    values = _singular_values(torch.cat([moved, jacobians.forwards(second)], -1))
    mean_squares = jacobians.mean_square.sqrt().tolist()
    return [
        Spectrum(sample.steps[times].tolist(), [each[: both.shape[-1]] for each in own], mean_square)
        for sample, own, mean_square in zip(samples, values, mean_squares, strict=True)
    ]


class _Jacobians:
    """The Jacobians of K steps of S samples, by what they do to blocks (S, K, N, p) of p vectors.

    N is the size of the whole state. All samples go one way at once.

    Attributes:
        start: Jᵀ u for random vectors u.
        mean_square: (S, K), of the singular values: E |Jᵀ u|² / |u|² is |J|² / N.

    """

    def __init__(
        self, samples: Sequence[Sample], times: list[int], rows: list[int], generator: torch.Generator
    ) -> None:
        self.sizes = [tensor.shape[-1] for tensor in samples[0].before] * len(samples)
        size = sum(self.sizes) // len(samples)
        count = min(VECTORS, size)
        self.shape = len(times), count, len(samples), size
        places = tuple(torch.tensor(each).repeat_interleave(count) for each in (times, rows))
        self.before: list[Tensor] = []
        self.after: list[Tensor] = []
        for sample in samples:
            before = tuple(tensor[places].requires_grad_() for tensor in sample.before)
            self.before += before
            after = sample.cell.step(sample.projected[places], before, sample.weights)
            # What the step makes of its input alone is a leaf, to which no gradient comes.
            self.after += [each if each.requires_grad else each.detach().requires_grad_() for each in after]
        random = torch.randn(count, 1, size, generator=generator).to(self.after[0])  # the same for all
        self.duals = [part.requires_grad_() for part in self._split(random.expand(self.shape))]
        self.pulled = self._pull(self.duals, create_graph=True)
        self.start = self._block(self.pulled).detach()
        self.mean_square = self.start.square().sum((2, 3)) / random.square().sum()

    def forwards(self, vectors: Tensor) -> Tensor:
        """J v: Jᵀ u is linear in u, so that its own gradient at u, times v, is that."""
        found = torch.autograd.grad(
            self.pulled,
            self.duals,
            self._parts(vectors),
            retain_graph=True,
            allow_unused=True,
            materialize_grads=True,
        )
        return self._block(found)

    def backwards(self, vectors: Tensor) -> Tensor:
        """Jᵀ u."""
        return self._block(self._pull(self._parts(vectors)))

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
        """A block by the tensors of the samples' states, the vectors one below the other."""
        return self._split(vectors.permute(1, 3, 0, 2))

    def _split(self, values: Tensor) -> list[Tensor]:
        return list(torch.split(values.flatten(2).flatten(0, 1), self.sizes, -1))

    def _block(self, parts: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(parts), -1).view(self.shape).permute(2, 0, 3, 1)


def _orthonormal(vectors: Tensor) -> Tensor:
    """An orthonormal basis of the columns, (..., N, p)."""
    basis: Tensor = torch.linalg.qr(vectors).Q
    return basis


def _singular_values(columns: Tensor) -> list[list[list[float]]]:
    """By the eigenvalues of the p x p products; not-a-number where one of these is not finite."""
    products = columns.transpose(-1, -2) @ columns
    known = products.sum((-1, -2)).isfinite()
    squares = torch.linalg.eigvalsh(products.where(known[..., None, None], 0))
    values = squares.clamp(min=0).sqrt().flip(-1)
    found: list[list[list[float]]] = values.where(known[..., None], math.nan).tolist()
    return found
