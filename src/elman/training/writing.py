"""Learning to write: what a batch of texts costs an encoder and decoder, each symbol after those that are right.

It knows batches of examples with one output, and nothing of what symbols stand for.
"""

from typing import Any

from torch import Tensor

from elman.training.cost import Cost
from elman.training.examples import VALIDATED, Batch, Examples, Learning


def objective(network: Any, batch: Batch) -> Cost:
    """Return the mean loss of a symbol."""
    found = losses(network, batch)
    return Cost((found.mean(),), (len(found),), len(batch.lengths))


def losses(network: Any, batch: Batch) -> Tensor:
    """Return -ln P of each symbol that is to be written, (N,), step by step; smoothed while training."""
    (targets,) = batch.targets.values()
    found: Tensor = network.losses(batch.inputs, batch.lengths, targets)
    return found


def mean_loss(network: Any, examples: Examples, most: int | None = VALIDATED) -> float:
    """Return the loss of at most so many rows from all over, or of all, in nats per symbol."""
    total, count = 0.0, 0
    for rows in examples.in_order(most):
        found = losses(network, examples.batch(rows))
        total, count = total + found.sum().item(), count + len(found)
    return total / max(1, count)


WRITING = Learning(objective, mean_loss)
"""To write texts."""
