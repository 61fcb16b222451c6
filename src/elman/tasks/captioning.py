"""Captioning: an image, or a video, becomes a text that says what is on it. One-to-many; of videos many-to-many."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from elman.baselines.labels import nearest_row
from elman.data import videos
from elman.data.images import data_uri
from elman.data.tables import Column
from elman.modalities.base import Answer, Encoded, Input
from elman.modalities.images import READINGS, EncodedImages, Images
from elman.modalities.symbols import WrittenTexts, learnt
from elman.modalities.videos import EncodedVideos, Videos
from elman.tasks import text_measures
from elman.tasks.base import Score
from elman.tasks.looking import WholeOptions, whole
from elman.tasks.prepared import PreparedExamples
from elman.tasks.writing import WritingOptions, WritingTask
from elman.training.options import option

LIMIT = 20_000
"""Rows of the training part among which the nearest is looked for."""


@dataclass(frozen=True, kw_only=True)
class CaptioningOptions(WholeOptions, WritingOptions):
    """The defaults; docs/log.md has what was tried, which was little."""

    budget: ClassVar[dict[str, float]] = {"minutes": 5.0}
    usual: ClassVar[dict[str, dict[str, float]]] = {"adamw": {"rate": 0.004, "weight_decay": 0.01}}

    shift: float = option(0.0, "move images in training by up to this share of their height", minimum=0, maximum=0.5)
    hidden: int = option(
        256, "units per layer of the decoder; the encoder has half of them in each direction", minimum=2
    )
    embedding: int = option(128, "features per place and per symbol", minimum=2)
    input_dropout: float = option(
        0.1, "dropout of the features of places and symbols", minimum=0, maximum=0.99, anew=True
    )
    dropout: float = option(0.2, "dropout between layers and before the output", minimum=0, maximum=0.99, anew=True)
    reading: str = option(
        "places",
        "time steps of an image: columns or places of what convolutions make of it, or its rows of pixels",
        choices=READINGS,
    )


class Captioning(WritingTask):
    """P(y | image or video), where the decoder attends to places of the image, or to frames of the video.

    Source: Vinyals et al. 2015, Show and tell: a neural image caption generator; Xu et al. 2015, Show, attend and tell;
    of videos Venugopalan et al. 2015, Sequence to sequence - video to text; Yao et al. 2015, Describing videos by
    exploiting temporal structure. A recurrent encoder goes over the places, so that each knows what is around it.
    """

    name = "captioning"
    topology = "one-to-many"
    metric = "BLEU, chrF, share of captions that are right word for word"
    baseline_name = "most frequent caption; caption of the nearest image or video"
    Options = CaptioningOptions
    inputs = videos.KINDS
    answer_names = ("caption", "captions", "text", "description", "label")
    modalities = (Images, Videos, WrittenTexts)

    def fit(self, input: Column, outputs: list[Column], options: CaptioningOptions) -> tuple[Input, Sequence[Answer]]:
        """Images or videos; symbols for what is written."""
        o = options
        return whole(input, o), [o.answer(learnt([self.only(outputs)], o.unit, o.symbols))]

    def notes(self) -> tuple[str, ...]:
        """Say what cannot be measured."""
        return text_measures.missing("sacrebleu", "BLEU and chrF")

    def figures(self, prepared: PreparedExamples, part: str, written: Sequence[str]) -> Score:
        """BLEU and chrF over the whole part, and the share of captions that are right word for word.

        Where several rows name the same image or video, the captions of all of them are right.
        """
        of = _seen(prepared, part).index.tolist()
        captions: dict[int, list[str]] = {}
        for image, text in zip(of, prepared.column(part, *prepared.outputs).values, strict=True):
            captions.setdefault(image, []).append(text.strip())
        right = [captions[image] for image in of]
        same = float(np.mean([text in texts for text, texts in zip(written, right, strict=True)]))
        return text_measures.bleu(written, right) | {"exact": same}

    def naive(self, prepared: PreparedExamples, part: str) -> Iterable[tuple[str, list[str]]]:
        """The most frequent caption, and that of the image or video whose pixels are nearest."""
        known, asked = (_seen(prepared, each) for each in ("train", part))
        captions = [text.strip() for text in prepared.column("train", *prepared.outputs).values]
        (usual, _), *_ = Counter(captions).most_common(1)
        yield "most frequent caption", [usual] * len(asked.lengths)
        nearest = nearest_row(known.rows.first(LIMIT), np.arange(len(captions)), asked.rows)
        of = f" of the first {LIMIT:,}" if len(captions) > LIMIT else ""
        yield f"caption of the nearest {prepared.input.name[:-1]}{of}", [captions[k] for k in nearest]

    def places(self, prepared: PreparedExamples, inputs: Encoded, row: int) -> dict[str, Any]:
        """The image, and how many columns and rows of places it has; the frames of a video."""
        if isinstance(inputs, EncodedVideos):
            return {"frames": [data_uri(frame) for frame in inputs.video(row)]}
        modality = prepared.input
        assert isinstance(inputs, EncodedImages)
        assert isinstance(modality, Images)
        image = inputs.image(row)
        return {"image": data_uri(image), "grid": modality.places(len(image))}


def _seen(prepared: PreparedExamples, part: str) -> EncodedImages | EncodedVideos:
    inputs = prepared.examples(part).inputs
    assert isinstance(inputs, EncodedImages | EncodedVideos)
    return inputs
