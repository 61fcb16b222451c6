"""What tags of time steps, and labels beside them, are worth. It does not know what the time steps are."""

from collections.abc import Mapping

import numpy as np

from elman.data.ragged import Ragged
from elman.modalities.tags import Tags, spans_of
from elman.tasks import measures
from elman.tasks.base import Score
from elman.tasks.prepared import PreparedExamples


def figures(prepared: PreparedExamples, part: str, choices: Mapping[str, Ragged]) -> Score:
    """Return entity F1 where tags are BIO, and the share of tags, of labels and of whole rows that are right.

    Where several columns hold tags, or labels, it is their mean. Of a table with a row per time step no whole series is
    expected to be right.
    """
    targets, rows = prepared.examples(part).targets, len(prepared.examples(part))
    found: dict[str, list[float]] = {"entity_f1": [], "tag_accuracy": [], "label_accuracy": []}
    right = np.ones(rows, bool)
    for name, output in prepared.outputs.items():
        hits = choices[name].values == targets[name].values
        right &= np.logical_and.reduceat(hits, targets[name].starts[:-1])
        if not isinstance(output, Tags):
            found["label_accuracy"].append(float(hits.mean()))
            continue
        if output.spans:
            found["entity_f1"].append(measures.overall(kinds(output, targets[name], choices[name])))
        found["tag_accuracy"].append(float(hits.mean()))
    means = {key: sum(values) / len(values) for key, values in found.items() if values}
    if prepared.steps is not None:
        return {**means, "symbols": int(prepared.examples(part).lengths.sum()), "unit": "time step"}
    return {**means, "row_accuracy": float(right.mean()), "symbols": rows, "unit": "row"}


def kinds(output: Tags, targets: Ragged, choices: Ragged) -> dict[str, measures.Counts]:
    """Return how many spans of each kind there are, are answered, and are answered rightly."""
    return measures.spans(
        [spans_of(output.named(row)) for row in targets], [spans_of(output.named(row)) for row in choices]
    )
