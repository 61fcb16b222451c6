"""Translation: a text in one language becomes a text in another. Many-to-many."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from elman.baselines.translations import WordByWord
from elman.tasks import text_measures
from elman.tasks.base import Score
from elman.tasks.prepared import PreparedExamples
from elman.tasks.rewriting import RewritingOptions, RewritingTask

LIMIT = 50_000
"""Rows of the training part that the baseline learns from."""


@dataclass(frozen=True, kw_only=True)
class TranslationOptions(RewritingOptions):
    """The defaults are the best found for 15 minutes on two cores; docs/log.md has the search."""


class Translation(RewritingTask):
    """P(y | x), where the decoder attends to the states of a recurrent encoder.

    Source: Bahdanau et al. 2015, Neural machine translation by jointly learning to align and translate; subwords as in
    Sennrich et al. 2016.
    """

    name = "translation"
    metric = "BLEU, chrF"
    baseline_name = "word by word the most frequent translation"
    Options = TranslationOptions
    answer_names = ("translation", "target", "output")

    def notes(self) -> tuple[str, ...]:
        """Say what cannot be measured."""
        return text_measures.missing("sacrebleu", "BLEU and chrF")

    def figures(self, prepared: PreparedExamples, part: str, written: Sequence[str]) -> Score:
        """BLEU and chrF over the whole part, with sacrebleu's signature of the first."""
        (name,) = prepared.outputs
        return text_measures.bleu(written, [[text] for text in prepared.column(part, name).values])

    def naive(self, prepared: PreparedExamples, part: str) -> Iterable[tuple[str, list[str]]]:
        """Every word becomes the one that it stands beside most often."""
        (name,) = prepared.outputs
        if name not in prepared.fitted:
            pair = (prepared.column("train", column).values.head(LIMIT).to_list() for column in prepared.names)
            prepared.fitted[name] = WordByWord(*pair)
        asked = prepared.column(part, prepared.input_name).values.to_list()
        yield self.baseline_name, [prepared.fitted[name].translate(text) for text in asked]
