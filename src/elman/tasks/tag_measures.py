"""What tags of time steps, and labels beside them, are worth. It does not know what the time steps are."""

from collections.abc import Mapping

import numpy as np

from elman.data.ragged import Ragged
from elman.modalities.tags import Tags, spans_of
from elman.tasks import measures
from elman.tasks.base import Score
from elman.tasks.prepared import PreparedExamples


def figures(prepared: PreparedExamples, part: str, choices: Mapping[str, Ragged]) -> Score:
    """Return entity F1 where tags are BIO, and the share of tags, of labels and of whole rows that are right."""
    targets, rows = prepared.examples(part).targets, len(prepared.examples(part))
    tags: Score = {}
    labels, right = [], np.ones(rows, bool)
    for name, output in prepared.outputs.items():
        hits = choices[name].values == targets[name].values
        right &= np.logical_and.reduceat(hits, targets[name].starts[:-1])
        if not isinstance(output, Tags):
            labels.append(float(hits.mean()))
            continue
        if output.spans:
            tags["entity_f1"] = measures.overall(kinds(output, targets[name], choices[name]))
        tags["tag_accuracy"] = float(hits.mean())
    label = {"label_accuracy": sum(labels) / len(labels)} if labels else {}
    return {**tags, **label, "row_accuracy": float(right.mean()), "symbols": rows, "unit": "row"}


def kinds(output: Tags, targets: Ragged, choices: Ragged) -> dict[str, measures.Counts]:
    """Return how many spans of each kind there are, are answered, and are answered rightly."""
    return measures.spans(
        [spans_of(output.named(row)) for row in targets], [spans_of(output.named(row)) for row in choices]
    )
