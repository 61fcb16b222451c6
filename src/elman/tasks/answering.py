"""What a network answers to rows: for each answer the symbol, its probability, and how improbable the right one was.

It knows networks with outputs by name and examples, and nothing of tables and figures.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from elman.data.ragged import Array, Integers, Ragged, row_of, within
from elman.modalities.base import Output
from elman.training.examples import Batch, Examples


@dataclass(frozen=True)
class Answers:
    """The answers to N rows; rows that are answered once have one value, others one for each time step.

    Attributes:
        choices: numbers of symbols.
        probabilities: what the network gives to them.
        losses: -ln of what it gives to the targets, not a number where there are none.
    """

    choices: Ragged
    probabilities: Ragged
    losses: Ragged


def answer(network: Any, examples: Examples, outputs: Mapping[str, Output]) -> dict[str, Answers]:
    """Return the answers to all rows, in their order, by output."""
    found = {name: _empty(examples, output) for name, output in outputs.items()}
    with torch.inference_mode():
        for rows in examples.in_order():
            batch = examples.batch(rows)
            scores = network(batch.inputs, batch.lengths)
            for name, output in outputs.items():
                _fill(found[name], rows, _decoded(output, scores[name], batch, name))
    return found


def worded(name: str, output: Output, answers: Answers) -> dict[str, list[Any]]:
    """Return answers, as training had them, and probabilities row by row, as columns of a table."""
    symbols = np.array(output.values, dtype=object)[answers.choices.values]
    rounded = answers.probabilities.values.astype(np.float64).round(6)
    if not output.stepwise:
        return {name: symbols.tolist(), f"{name}_probability": rounded.tolist()}
    said, sure = Ragged(symbols, answers.choices.starts), Ragged(rounded, answers.choices.starts)
    count = range(len(said))
    return {name: [said[k].tolist() for k in count], f"{name}_probability": [sure[k].tolist() for k in count]}


def _empty(examples: Examples, output: Output) -> Answers:
    lengths = examples.lengths if output.stepwise else np.ones(len(examples), np.int64)
    total = int(lengths.sum())
    return Answers(
        Ragged.of(np.zeros(total, np.int32), lengths),
        Ragged.of(np.zeros(total, np.float32), lengths),
        Ragged.of(np.full(total, np.nan, np.float32), lengths),
    )


def _decoded(output: Output, scores: torch.Tensor, batch: Batch, name: str) -> list[Array]:
    """Choices, probabilities and losses of a batch, padding cut off, one row after the other."""
    found = scores.log_softmax(-1)
    lengths = batch.lengths.numpy()
    chosen = output.decode(found, lengths)
    values = [chosen, found.gather(-1, chosen.unsqueeze(-1)).squeeze(-1).exp()]
    if name in batch.targets:
        targets = batch.targets[name].to(found.device).clamp_min(0)  # what is IGNORED is padding, and cut off below
        values.append(-found.gather(-1, targets.unsqueeze(-1)).squeeze(-1))
    arrays = [value.cpu().numpy() for value in values]
    if not output.stepwise:
        return arrays
    places = within(lengths), row_of(lengths)
    return [array[places] for array in arrays]


def _fill(answers: Answers, rows: Integers, decoded: list[Array]) -> None:
    for ragged, values in zip((answers.choices, answers.probabilities, answers.losses), decoded, strict=False):
        ragged.values[ragged.places(rows)[0]] = values
