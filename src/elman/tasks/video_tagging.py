"""Video tagging: a tag for every frame, and if asked a label for the whole video. Synced many-to-many."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from elman.data import videos
from elman.data.images import data_uri
from elman.data.parts import spread
from elman.data.tables import Column
from elman.errors import UsageError
from elman.modalities.base import Input, Output
from elman.modalities.label import Label
from elman.modalities.tags import Tags
from elman.modalities.videos import EncodedVideos, Videos
from elman.tasks import labels_of_rows, nearest_steps, tag_measures
from elman.tasks.answering import Answers
from elman.tasks.base import Score
from elman.tasks.examples import ExampleOptions, ExampleTask
from elman.tasks.looking import ImageOptions
from elman.tasks.prepared import PreparedExamples
from elman.training.options import option

SHOWN, STRIP = 6, 40
"""Videos in the report, and the most frames of each."""


@dataclass(frozen=True, kw_only=True)
class VideoTaggingOptions(ImageOptions, ExampleOptions):
    """The defaults are those of other tasks on rows; no others were tried."""

    longest: int = option(1000, "the most frames that a video may have", minimum=1)


class VideoTagging(ExampleTask):
    """P(tag_t | frames 1 ... T) for every t: a convolution over each frame, and a recurrence over the frames.

    Source: Donahue et al. 2015, Long-term recurrent convolutional networks for visual recognition and description.
    """

    name = "video-tagging"
    topology = "synced many-to-many"
    metric = "tag accuracy (and entity F1, where tags are BIO), label accuracy, whole-row accuracy"
    baseline_name = "most frequent tag; tag of the nearest frame"
    Options = VideoTaggingOptions
    inputs = videos.KINDS
    answers = ("texts", "text", "number")
    modalities = (Videos, Tags, Label)

    def fit(self, input: Column, outputs: list[Column], options: VideoTaggingOptions) -> tuple[Input, Sequence[Output]]:
        """Videos; tags, and labels where a column holds one a row."""
        if not any(map(_is_stepwise, outputs)):
            raise UsageError(
                f"video-tagging answers every frame, but {outputs[0].name!r} holds one value a row; name a column of "
                "tags with --output: a list of them, or a text with spaces between them"
            )
        answers = [Tags.fit(column) if _is_stepwise(column) else Label.fit(column) for column in outputs]
        return Videos.fit(input, options.size, options.shift, options.longest), answers

    def figures(self, prepared: PreparedExamples, part: str, found: Mapping[str, Answers]) -> Score:
        """The share of tags, of labels and of whole rows that are right; entity F1 where tags are BIO."""
        return tag_measures.figures(prepared, part, {name: answers.choices for name, answers in found.items()})

    def baselines(self, prepared: PreparedExamples, part: str) -> list[Score]:
        """The most frequent tag and label; the tag of the nearest frame, by its pixels."""
        return nearest_steps.baselines(prepared, part, "frame")

    def showcase(self, network: Any, prepared: PreparedExamples, options: VideoTaggingOptions) -> dict[str, Any]:
        """Return videos with their tags and the answers, and which labels are confused."""
        del options
        part, found = prepared.shown, self.answered(network, prepared, prepared.shown)
        name = next(name for name, output in prepared.outputs.items() if output.stepwise)
        shown: dict[str, Any] = {"films": _films(prepared, part, name, found[name])}
        return shown | labels_of_rows.reviewed(prepared, part, found)


def _is_stepwise(output: Column) -> bool:
    """Whether a column holds an answer for each frame: lists do, and texts that mostly have spaces inside."""
    if output.kind != "text":
        return output.kind == "texts"
    spaced = output.values.drop_nulls().str.contains(r"\S\s+\S")
    return bool(spaced.sum() > len(spaced) / 2)


def _films(prepared: PreparedExamples, part: str, name: str, answers: Answers) -> list[dict[str, Any]]:
    """Videos from all over a part: their frames with the right tag and the answer."""
    output, targets = prepared.outputs[name], prepared.examples(part).targets[name]
    inputs = prepared.examples(part).inputs
    assert isinstance(inputs, EncodedVideos)
    rows = spread(len(targets), SHOWN)
    numbers = prepared.column(part, prepared.input_name).rows
    return [
        {
            "row": int(numbers[k]),
            "images": [data_uri(frame) for frame in inputs.video(k)[:STRIP]],
            "truth": output.named(targets[k])[:STRIP],
            "answer": output.named(answers.choices[k])[:STRIP],
        }
        for k in rows
    ]
