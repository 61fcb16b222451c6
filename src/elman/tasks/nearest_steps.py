"""Naive tags for time steps of numbers: the most frequent one, and that of the nearest step of training."""

import numpy as np

from elman.baselines import labels as naive
from elman.data.ragged import Array, Integers, Ragged
from elman.modalities.series import EncodedSeries
from elman.modalities.videos import EncodedVideos
from elman.tasks import tag_measures
from elman.tasks.base import Score
from elman.tasks.prepared import PreparedExamples

LIMIT = 20_000
"""Steps of the training part, from all over it, among which the nearest is looked for."""


def baselines(prepared: PreparedExamples, part: str, step: str) -> list[Score]:
    """Score the most frequent tag and label, and the tag of the nearest time step, which is called `step`."""
    usual: dict[str, Ragged] = {}
    nearest: dict[str, Ragged] = {}
    closest = _nearest(prepared, part)
    for name, output in prepared.outputs.items():
        known, asked = (prepared.examples(each).targets[name] for each in ("train", part))
        usual[name] = Ragged(np.full(len(asked.values), naive.most_frequent(known.values)), asked.starts)
        nearest[name] = Ragged(known.values[closest], asked.starts) if output.stepwise else usual[name]
    beside = "" if all(output.stepwise for output in prepared.outputs.values()) else "; most frequent label"
    names = f"most frequent tag{beside}", f"tag of the nearest {step}{beside}"
    found = (tag_measures.figures(prepared, part, choices) for choices in (usual, nearest))
    return [{"name": name} | figures for name, figures in zip(names, found, strict=True)]


def _nearest(prepared: PreparedExamples, part: str) -> Integers:
    """For each time step of a part, the number of the nearest one of the training part."""
    known, asked = (_steps(prepared, each) for each in ("train", part))
    stride = -(-len(known) // LIMIT)
    rows = [Ragged(steps, np.arange(len(steps) + 1)) for steps in (known[::stride], asked)]
    return naive.nearest_row(rows[0], np.arange(len(rows[0])) * stride, rows[1])


def _steps(prepared: PreparedExamples, part: str) -> Array:
    inputs = prepared.examples(part).inputs
    assert isinstance(inputs, EncodedSeries | EncodedVideos)
    return inputs.steps
