"""Classification: one label for a whole text, series, image, video or recording. Many-to-one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from elman.data import videos
from elman.data.tables import Column
from elman.modalities.base import Input, Output
from elman.modalities.images import Images
from elman.modalities.label import Label
from elman.modalities.recordings import Recordings
from elman.modalities.series import Series
from elman.modalities.symbols import SymbolTexts
from elman.modalities.videos import Videos
from elman.modalities.words import Words
from elman.tasks import labels_of_rows, measures, watching
from elman.tasks.answering import Answers
from elman.tasks.base import Score
from elman.tasks.looking import WholeOptions, whole
from elman.tasks.measured import SeriesOptions, SeriesTask
from elman.tasks.prepared import PreparedExamples
from elman.tasks.sound import SoundOptions, recordings
from elman.training.options import option

UNITS = ("word", "char", "byte", "subword")


@dataclass(frozen=True, kw_only=True)
class ClassificationOptions(WholeOptions, SoundOptions, SeriesOptions):
    """The defaults are the best found for a few minutes on two cores; docs/log.md has the search."""

    unit: str = option("word", "what texts are cut into: word, char, byte or subword", choices=UNITS)
    symbols: int = option(2048, "how many subwords to tell apart", minimum=257, maximum=1 << 20)
    longest: int = option(2000, "the most words or symbols that a text may have", minimum=1)


class Classification(SeriesTask):
    """P(label | x_1 ... x_T), read off a summary of the states of a recurrent network.

    Of a video x_t is what convolutions see in frame t (Donahue et al. 2015, Long-term recurrent convolutional networks
    for visual recognition and description).
    """

    name = "classification"
    topology = "many-to-one"
    metric = "accuracy, macro F1"
    baseline_name = (
        "most frequent label; TF-IDF and logistic regression, or nearest neighbour for series, images, videos and "
        "recordings; for videos logistic regression on mean and deviation of each pixel, too"
    )
    Options = ClassificationOptions
    inputs = (*videos.KINDS, "recordings", "numbers", "texts", "text")
    answers = ("text", "number")
    modalities = (Words, SymbolTexts, Series, Images, Videos, Recordings, Label)
    tags = False

    def fit(
        self, input: Column, outputs: list[Column], options: ClassificationOptions
    ) -> tuple[Input, Sequence[Output]]:
        """An image, a video, a recording, a series, words or symbols; one label."""
        o, labels = options, [Label.fit(column) for column in outputs]
        if input.kind in ("images", "films") or videos.are_named(input):
            return whole(input, o), labels
        if input.kind == "recordings":
            return recordings(input, o), labels
        if input.kind == "numbers":
            return Series.fit(input, o.noise), labels
        if o.unit == "word":
            return Words.fit(input, longest=o.longest), labels
        return SymbolTexts.fit(input, o.unit, o.symbols, o.longest), labels

    def figures(self, prepared: PreparedExamples, part: str, found: Mapping[str, Answers]) -> Score:
        """Accuracy and macro F1."""
        (name, answers), *_ = found.items()
        targets = prepared.examples(part).targets[name].values
        return measures.of_labels(answers.choices.values, targets, len(prepared.outputs[name].symbols)) | {
            "loss": float(answers.losses.values.mean()),
            "symbols": len(targets),
            "unit": "row" if prepared.steps is None else "sequence",
        }

    def baselines(self, prepared: PreparedExamples, part: str) -> list[Score]:
        """The most frequent label; logistic regression on words, or the nearest row of what is seen or measured."""
        return labels_of_rows.baselines(prepared, part, next(iter(prepared.outputs)))

    def showcase(self, network: Any, prepared: PreparedExamples, options: ClassificationOptions) -> dict[str, Any]:
        """Return which labels are confused, the mistakes that the network is surest of, and videos frame by frame."""
        del options
        part = prepared.shown
        found = self.answered(network, prepared, part)
        (name, answers), *_ = found.items()
        return {
            **labels_of_rows.reviewed(prepared, part, found),
            "mistakes": labels_of_rows.mistakes(prepared, part, name, answers),
            "watched": watching.watched(network, prepared, name),
        }
