"""What a network hears in rows: the text, how probable it finds it, and when each symbol is heard.

It knows networks of one output and their examples, and nothing of figures.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from elman.data.buckets import in_order
from elman.data.ragged import Array, Integers, Ragged
from elman.generation.alignment import heard_at
from elman.generation.prefix_beam import greedy, prefix_beam_search
from elman.modalities.base import IGNORED
from elman.modalities.filterbank import HOP, WINDOW
from elman.modalities.recordings import STEP, EncodedRecordings, Recordings
from elman.modalities.transcripts import Transcripts
from elman.tasks.prepared import PreparedExamples
from elman.training.examples import SCORING_ROWS, Examples
from elman.training.transcribing import losses_of

COLUMNS = 150
"""About so many moments are drawn of a recording."""


@dataclass(frozen=True)
class Heard:
    """The texts of N rows.

    Attributes:
        symbols: of each.
        steps: the time step at which each symbol begins, on the most probable way.
        log_probabilities: ln P(text | x), over all ways, (N,).
    """

    symbols: Ragged
    steps: Ragged
    log_probabilities: Array


def hear(network: Any, examples: Examples, output: Transcripts, chosen: Integers | None = None) -> Heard:
    """Return the most probable texts that are found for all rows, or for those chosen, in their order."""
    chosen = np.arange(len(examples)) if chosen is None else chosen
    texts: list[Array] = [np.empty(0)] * len(chosen)
    steps: list[Array] = [np.empty(0)] * len(chosen)
    sure = np.zeros(len(chosen))
    for places in in_order(examples.lengths[chosen], SCORING_ROWS):
        said, lengths = listened(network, examples, chosen[places])
        if output.beams == 1:
            best = greedy(said, lengths, output.unit.unknown)
        else:
            best = prefix_beam_search(said, lengths, output.beams, output.unit.unknown)
        found = Ragged.joined(best, np.int64)
        padded = torch.from_numpy(found.padded(np.arange(len(found)), IGNORED))
        sure[places] = -losses_of(said, lengths, padded).cpu().numpy()
        for place, text, begun in zip(places, found, heard_at(said, lengths, found), strict=True):
            texts[place], steps[place] = text, begun
    return Heard(Ragged.joined(texts, np.int64), Ragged.joined(steps, np.int64), sure)


def listened(network: Any, examples: Examples, rows: Integers) -> tuple[Tensor, Tensor]:
    """Return ln P of every symbol and of the blank at every time step (T, B, V + 1), and the rows' lengths (B,)."""
    lengths = torch.from_numpy(examples.lengths[rows])
    with torch.inference_mode():
        (scores,) = network(examples.inputs.batch(rows), lengths).values()
        return scores.log_softmax(-1), lengths


def pictures(network: Any, prepared: PreparedExamples, rows: Integers) -> list[dict[str, Any]]:
    """Return for some rows of the part that is shown what sounds, and how probable each symbol is, at every time."""
    part, output = prepared.shown, transcripts(prepared)
    examples, column = prepared.examples(part), prepared.column(part, prepared.input_name).take(rows)
    heard = hear(network, examples, output, rows)
    said, lengths = listened(network, examples, rows)
    probabilities = said.exp().cpu().numpy()
    found = []
    for k, row in enumerate(rows):
        symbols, frames = heard.symbols[k], frames_of(prepared, part)[row]
        curves = probabilities[: lengths[k], k].round(3)
        found.append(
            {
                "row": int(column.rows[k]),
                "input": column.values[k],
                "text": output.text(symbols.tolist()),
                "symbols": output.unit.texts(symbols.tolist()),
                "at": recorded(prepared).seconds(heard.steps[k]).round(3).tolist(),
                "lasts": round(len(frames) * HOP + WINDOW - HOP, 4),
                "times": recorded(prepared).seconds(np.arange(len(curves))).round(4).tolist(),
                "curves": [curves[:, symbol].tolist() for symbol in dict.fromkeys(symbols.tolist())],
                "blank": curves[:, output.blank].tolist(),
                "sound": _drawn(frames),
            }
        )
    return found


def _drawn(frames: Array) -> list[str]:
    """Loudness in digits, 0 for two deviations below the mean, 9 for two above: a text for each pair of bands."""
    columns = -(-len(frames) // max(1, len(frames) // COLUMNS))
    cut = np.linspace(0, len(frames), min(columns, len(frames)) + 1).astype(np.int64)[:-1]
    pairs = np.arange(0, frames.shape[1], 2)
    sums = np.add.reduceat(np.add.reduceat(frames.astype(np.float64), cut), pairs, 1)
    means = sums / np.diff(np.append(cut, len(frames)))[:, None] / np.diff(np.append(pairs, frames.shape[1]))
    levels = np.clip(np.round(4.5 + means / STEP * 2.25), 0, 9).astype(np.int64)
    return ["".join(map(str, row)) for row in levels.T]


def recorded(prepared: PreparedExamples) -> Recordings:
    """What stands for the recordings."""
    assert isinstance(prepared.input, Recordings)
    return prepared.input


def transcripts(prepared: PreparedExamples) -> Transcripts:
    """What stands for the texts."""
    (output,) = prepared.outputs.values()
    assert isinstance(output, Transcripts)
    return output


def frames_of(prepared: PreparedExamples, part: str) -> Ragged:
    """The frames of a part's recordings."""
    inputs = prepared.examples(part).inputs
    assert isinstance(inputs, EncodedRecordings)
    return inputs.rows
