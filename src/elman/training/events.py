"""Learning which set of events comes next: what the sets of a batch of rows cost, each after all those before it.

It knows batches of rows of sets that a synced network reads, and nothing of what events stand for.
"""

from typing import Any

import torch
from torch import Tensor

from elman.training.cost import Cost
from elman.training.examples import VALIDATED, Batch, Examples, Learning


def objective(network: Any, batch: Batch) -> Cost:
    """Return the mean loss of a time step."""
    found = network.head.losses(*before_each(network, batch))
    return Cost((found.mean(),), (len(found),), len(batch.lengths))


def mean_loss(network: Any, examples: Examples) -> float:
    """Return -ln P of a set, in nats, as the mean over the time steps of rows from all over."""
    total, count = 0.0, 0
    for rows in examples.in_order(VALIDATED):
        found = network.head.log_probabilities(*before_each(network, examples.batch(rows)))
        total, count = total - found.sum().item(), count + len(found)
    return total / max(1, count)


def before_each(network: Any, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return features (N, H), by which each set of a batch is expected, and the sets (N, K), row by row."""
    sets = batch.inputs.to(next(network.parameters()).device)
    features, _ = network.read(network.reader.before(sets)[:-1], None, batch.lengths)
    live = (torch.arange(len(sets)) < batch.lengths.unsqueeze(1)).to(sets.device)
    return features.transpose(0, 1)[live], sets.transpose(0, 1)[live]


EVENTS = Learning(objective, mean_loss)
"""To say which events come next."""
