"""What a network writes for rows: the text, how probable it finds it, and where it looked.

It knows encoders and decoders and examples, and nothing of tables and figures.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from elman.data.ragged import Array, Integers, Ragged
from elman.generation.beam import Search, beam_search
from elman.modalities.base import IGNORED
from elman.training.examples import Examples

LOOKED_AT = 128
"""Rows that are searched side by side."""


@dataclass(frozen=True)
class Writings:
    """The texts of N rows.

    Attributes:
        symbols: of each, without the end.
        log_probabilities: ln P of each symbol and, last, of the end; one more for a row than it has symbols.
    """

    symbols: Ragged
    log_probabilities: Ragged


def write(network: Any, examples: Examples, search: Search, rows: Integers | None = None) -> Writings:
    """Return the most probable texts that are found for some rows, or for all, in their order."""
    asked = np.arange(len(examples)) if rows is None else rows
    texts: list[Array] = [np.empty(0)] * len(asked)
    sure: list[Array] = [np.empty(0)] * len(asked)
    order = np.argsort(-examples.lengths[asked], kind="stable")
    for places in (order[first : first + LOOKED_AT] for first in range(0, len(order), LOOKED_AT)):
        batch = examples.inputs.batch(asked[places]), torch.from_numpy(examples.lengths[asked[places]])
        found = beam_search(network, *batch, search)
        chosen = _said(network, *batch, found)
        for k, place in enumerate(places):
            texts[place], sure[place] = found[k], chosen[k]
    return Writings(Ragged.joined(texts, np.int32), Ragged.joined(sure, np.float32))


@torch.inference_mode()
def least_expected(network: Any, examples: Examples, most: int, count: int) -> Integers:
    """Return, of at most so many rows from all over, those whose own texts have the least probable symbols."""
    rows: list[Array] = []
    means: list[Array] = []
    for chosen in examples.in_order(most):
        batch = examples.batch(chosen)
        (targets,) = batch.targets.values()
        costs = _costs(network, batch.inputs, batch.lengths, targets)
        rows.append(chosen)
        means.append(costs.sum(0) / (targets != IGNORED).sum(0).numpy())
    order = np.argsort(-np.concatenate(means), kind="stable")[:count]
    return np.concatenate(rows)[order]


def looked(network: Any, examples: Examples, rows: Integers, texts: list[Array]) -> list[Array]:
    """Return for each of these rows where its writer looks at each step of its text, the end included, (S, T)."""
    lengths = examples.lengths[rows]
    with torch.inference_mode():
        batch = examples.inputs.batch(rows), torch.from_numpy(lengths)
        written, _ = network(*batch, _targets(network, texts))
    weights = written.weights.float().cpu().numpy()
    return [weights[k, : len(text) + 1, : lengths[k]] for k, text in enumerate(texts)]


@torch.inference_mode()
def _said(network: Any, inputs: Any, lengths: torch.Tensor, texts: list[Array]) -> list[Array]:
    """ln P of every symbol of each text and of its end."""
    found = -_costs(network, inputs, lengths, _targets(network, texts))
    return [found[: len(text) + 1, k] for k, text in enumerate(texts)]


def _costs(network: Any, inputs: Any, lengths: torch.Tensor, targets: torch.Tensor) -> Array:
    """-ln P of every symbol of the targets, (S, B); 0 beyond a text's end."""
    found = np.zeros(targets.shape, np.float32)
    found[(targets != IGNORED).numpy()] = network.losses(inputs, lengths, targets).cpu().numpy()
    return found


def _targets(network: Any, texts: list[Array]) -> torch.Tensor:
    ended = [np.append(text, network.writer.end) for text in texts]
    return torch.from_numpy(Ragged.joined(ended, np.int64).padded(np.arange(len(ended)), IGNORED))
