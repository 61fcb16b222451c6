"""Each output depends on all inputs before it, and on none after: by the derivatives themselves."""

from collections.abc import Callable, Sequence

import torch

from elman.experiments.base import Experiment, Outcome, interval
from elman.layers import Stack, build

STEPS, HIDDEN = 40, 32
CELLS = ("rnn", "rnn-relu", "lstm", "gru")


class Causality(Experiment):
    """dy_t/dx_k for every k at one t."""

    name = "causality"
    claim = "Each output depends on all inputs before it, and on none after."
    expected = "dy_t/dx_k is not zero for k ≤ t, and exactly zero for k > t."
    method = (
        f"Layers of {HIDDEN} units at torch's start, {STEPS} random steps in float64; the norm of dy_t/dx_k for t in "
        "the middle, through automatic differentiation. The bidirectional GRU stands beside them."
    )

    def run(self, seeds: Sequence[int], tell: Callable[[str], None]) -> Outcome:
        rows, holds, faint = [], True, 1.0
        for cell in (*CELLS, "gru, bidirectional"):
            tell(cell)
            found = [_derivatives(_layer(cell), seed) for seed in seeds]
            past, future = torch.stack([f[0] for f in found]), torch.stack([f[1] for f in found])
            both = cell.endswith("bidirectional")
            holds &= bool((past > 0).all()) and (both or not bool(future.any()))
            first = (past[:, 0] / past[:, -1]).tolist()
            faint = faint if both else min(faint, *first)
            rows.append(
                {
                    "cell": cell,
                    "inputs up to t that count": f"{int((past > 0).all(0).sum())} of {past.shape[1]}",
                    "inputs after t that count": f"{int((future > 0).any(0).sum())} of {future.shape[1]}",
                    "first input beside the last": interval(first, 2),
                }
            )
        return Outcome(
            rows=rows,
            measured=(
                "All derivatives by earlier inputs are other than zero and all by later ones exactly zero, but for the "
                f"bidirectional layer; the first of {STEPS // 2} inputs moves the output by down to {faint:.0e} of "
                "what the last one does."
            ),
            verdict="holds in part" if holds else "does not hold",
            reason=(
                "The structure is as claimed for one direction; but that an output depends on an input says little "
                "where the dependence is a millionth, and a bidirectional layer depends on the inputs after it too."
            )
            if holds
            else "A derivative was zero where it should not be, or the other way round.",
            seeds=list(seeds),
        )


def _layer(cell: str) -> Stack:
    name, _, both = cell.partition(", ")
    return build(name, 3, HIDDEN, bidirectional=bool(both))


def _derivatives(layer: Stack, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The norms of dy_t/dx_k, for k up to t and for k after it."""
    torch.manual_seed(seed)
    layer = layer.double()
    layer.reset_parameters()
    inputs = torch.randn(STEPS, 1, 3, dtype=torch.float64, requires_grad=True)
    output, _ = layer.scan(inputs)
    middle = STEPS // 2
    (moved,) = torch.autograd.grad(output[middle - 1] @ torch.randn(layer.output_size, dtype=torch.float64), inputs)
    norms = moved.norm(dim=(1, 2))
    return norms[:middle], norms[middle:]
