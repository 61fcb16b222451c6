"""Learning from examples: batches of rows of similar length, and what they cost.

It knows encoded columns and the scores of a network, nothing of tables and tasks.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from elman.data.buckets import by_both, in_order
from elman.data.ragged import Integers, Ragged
from elman.modalities.base import IGNORED, Encoded
from elman.training.cost import Cost

SCORING_ROWS = 128
VALIDATED = 5000
"""Rows, from all over the part, that a validation measures: enough to tell networks apart, and quick."""


@dataclass(frozen=True)
class Batch:
    """B rows, padded.

    Attributes:
        inputs: what the network's reader takes.
        lengths: (B,), time steps of each row.
        targets: by output, (B,) int64, or (S, B) where there are several for a row, IGNORED beyond a row's last.
    """

    inputs: Any
    lengths: Tensor
    targets: dict[str, Tensor]


class Examples:
    """Rows as a network reads them.

    Args:
        inputs: the encoded input.
        targets: the encoded outputs by name; none where they are not known.
        stepwise: the outputs that have several targets for a row.
    """

    def __init__(self, inputs: Encoded, targets: Mapping[str, Ragged], stepwise: Mapping[str, bool]) -> None:
        self.inputs, self.targets, self.stepwise = inputs, targets, stepwise
        self.lengths = inputs.lengths

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.lengths)

    @property
    def sizes(self) -> Integers:
        """By what rows are sorted, (N,): how many steps are read and, where that is another number, answered."""
        answered = [encoded.lengths for name, encoded in self.targets.items() if self.stepwise[name]]
        return by_both(self.lengths, answered[0]) if len(answered) == 1 else self.lengths

    def batch(self, rows: Integers) -> Batch:
        """Return some rows side by side."""
        targets = {name: self._target(name, encoded, rows) for name, encoded in self.targets.items()}
        return Batch(self.inputs.batch(rows), torch.from_numpy(self.lengths[rows]), targets)

    def in_order(self, most: int | None = None) -> list[Integers]:
        """Return the numbers of all rows, or of at most so many from all over, in batches for scoring."""
        stride = 1 if most is None else -(-len(self) // most)
        return [rows * stride for rows in in_order(self.sizes[::stride], SCORING_ROWS, self.lengths[::stride])]

    def _target(self, name: str, encoded: Ragged, rows: Integers) -> Tensor:
        values = encoded.padded(rows, IGNORED) if self.stepwise[name] else encoded.flat(rows)
        return torch.from_numpy(values).long()


class Learning(NamedTuple):
    """How a kind of network learns from examples.

    Attributes:
        objective: what a batch costs.
        mean_loss: what a validation measures, in nats.
    """

    objective: Callable[[Any, Batch], Cost]
    mean_loss: Callable[[Any, Examples], float]


def objective(network: nn.Module, batch: Batch) -> Cost:
    """Return the sum of the mean losses of all outputs."""
    losses = _losses(network, batch)
    counts = tuple(int((batch.targets[name] != IGNORED).sum()) for name in losses)
    return Cost(tuple(losses.values()), counts, len(batch.lengths))


def _losses(network: Any, batch: Batch) -> dict[str, Tensor]:
    """Return the mean loss of each output."""
    scores = network(batch.inputs, batch.lengths)
    heads = {name: output.head for name, output in zip(network.names, network.outputs, strict=True)}
    losses = {}
    for name, targets in batch.targets.items():
        on_device = targets.to(scores[name].device)
        losses[name] = heads[name].loss(scores[name], on_device, on_device != IGNORED if targets.dim() > 1 else None)
    return losses


def mean_loss(network: nn.Module, examples: Examples) -> float:
    """Return the loss of rows from all over: the sum of the outputs' means, in nats per row or time step."""
    totals, counts = dict.fromkeys(examples.targets, 0.0), dict.fromkeys(examples.targets, 0)
    for rows in examples.in_order(VALIDATED):
        batch = examples.batch(rows)
        for name, loss in _losses(network, batch).items():
            count = int(batch.lengths.sum()) if examples.stepwise[name] else len(rows)
            totals[name] += loss.item() * count
            counts[name] += count
    return sum(total / max(1, counts[name]) for name, total in totals.items())


ANSWERING = Learning(objective, mean_loss)
"""To answer with one of a few symbols."""
