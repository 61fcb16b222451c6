"""Whole videos for the report: how sure a network is of the right label when it has seen a video up to each frame.

It does not know how a label is scored.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from elman.data import videos
from elman.data.images import data_uri
from elman.data.parts import spread
from elman.modalities.videos import EncodedVideos
from elman.tasks.prepared import PreparedExamples
from elman.topologies.shared import SharedEncoder

SHOWN, STRIP = 6, 32
"""Videos in the report, and the most frames of each."""


def watched(network: SharedEncoder, prepared: PreparedExamples, name: str) -> list[dict[str, Any]]:
    """Return videos from all over the part that is shown, as entries for the report; none where rows are no videos."""
    examples, symbols = prepared.examples(prepared.shown), prepared.outputs[name].symbols
    inputs, targets = examples.inputs, examples.targets[name].values
    if not isinstance(inputs, EncodedVideos):
        return []
    rows = spread(len(targets), SHOWN)
    numbers = prepared.column(prepared.shown, prepared.input_name).rows
    entries = []
    for k in rows:
        places = videos.among(int(inputs.lengths[k]), STRIP)
        sure = _after(network, inputs, int(k), places, name)
        entries.append(
            {
                "row": int(numbers[k]),
                "images": [data_uri(frame) for frame in inputs.video(k)[places]],
                "truth": symbols[targets[k]],
                "answer": symbols[int(sure[-1].argmax())],
                "probabilities": sure[:, targets[k]].double().cpu().numpy().round(4).tolist(),
            }
        )
    return entries


@torch.inference_mode()
def _after(network: SharedEncoder, inputs: EncodedVideos, row: int, places: Any, name: str) -> Tensor:
    """P of each label (N, V) where the video of a row ends with each of these frames (N,)."""
    device = next(network.parameters()).device
    read = network.reader(inputs.batch(np.array([row])).to(device))
    scores = network.scores(read.expand(-1, len(places), -1), torch.from_numpy(places + 1))
    return scores[name].softmax(-1)
