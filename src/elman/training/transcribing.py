"""Learning to transcribe: what a text costs where nobody has said when each of its symbols is heard.

P(text | x) is the sum over all ways to lay the text over the time steps: each symbol on one step or on several in a
row, blanks wherever, and one at least between two symbols that are alike.
Source: Graves et al. 2006, Connectionist temporal classification: labelling unsegmented sequence data with recurrent
neural networks. It knows networks with one output and batches, and nothing of sound.
"""

from typing import Any

from torch import Tensor
from torch.nn import functional as F

from elman.modalities.base import IGNORED
from elman.training.cost import Cost
from elman.training.examples import VALIDATED, Batch, Examples, Learning


def objective(network: Any, batch: Batch) -> Cost:
    """Return the mean loss of a symbol."""
    losses, symbols = _of_batch(network, batch)
    return Cost((losses.sum() / symbols,), (symbols,), len(losses))


def mean_loss(network: Any, examples: Examples, most: int | None = VALIDATED) -> float:
    """Return the loss of at most so many rows from all over, or of all, in nats per symbol."""
    total, count = 0.0, 0
    for rows in examples.in_order(most):
        losses, symbols = _of_batch(network, examples.batch(rows))
        total, count = total + losses.sum().item(), count + symbols
    return total / max(1, count)


def losses_of(said: Tensor, lengths: Tensor, texts: Tensor) -> Tensor:
    """Return -ln P(text | x) of each row, (B,).

    Args:
        said: ln P of every symbol and, last, of the blank, (T, B, V + 1).
        lengths: (B,), time steps of each row.
        texts: (S, B), IGNORED beyond a text's end; it needs as many time steps as it has symbols and repeats.
    """
    counts = (texts != IGNORED).sum(0)
    symbols = texts.clamp_min(0).t().to(said.device)
    return F.ctc_loss(said, symbols, lengths, counts, blank=said.shape[-1] - 1, reduction="none")


def _of_batch(network: Any, batch: Batch) -> tuple[Tensor, int]:
    """The loss of each row, and how many symbols there are in all."""
    (texts,), (scores,) = batch.targets.values(), network(batch.inputs, batch.lengths).values()
    return losses_of(scores.log_softmax(-1), batch.lengths, texts), int((texts != IGNORED).sum())


TRANSCRIBING = Learning(objective, mean_loss)
"""To write down what is heard."""
