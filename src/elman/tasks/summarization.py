"""Summarization: a long text becomes a short one, some of whose words are copied. Many-to-many."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from elman.baselines.summaries import first_sentence
from elman.tasks import text_measures
from elman.tasks.base import Score
from elman.tasks.prepared import PreparedExamples
from elman.tasks.rewriting import RewritingOptions, RewritingTask
from elman.training.options import option


@dataclass(frozen=True, kw_only=True)
class SummarizationOptions(RewritingOptions):
    """The defaults are the best found for ten minutes on two cores; docs/log.md has the search."""

    budget: ClassVar[dict[str, float]] = {"minutes": 10.0}

    hidden: int = option(
        256, "units per layer of the decoder; the encoder has half of them in each direction", minimum=2
    )
    longest: int = option(400, "how many symbols of a text are read, from its beginning", minimum=1)
    copying: bool = option(True, "let the decoder copy symbols that it looks at")
    references: list[str] | None = option(
        None, "column with further right answers, a text or a list of texts, that tables to score may have", anew=True
    )


class Summarization(RewritingTask):
    """P(y | x), where the decoder attends to the states of a recurrent encoder, and writes or copies.

    Source: See et al. 2017, Get to the point: summarization with pointer-generator networks.
    """

    name = "summarization"
    metric = "ROUGE-1, ROUGE-2, ROUGE-L"
    baseline_name = "first sentence"
    Options = SummarizationOptions
    answer_names = ("summary", "subject", "title", "headline", "abstract", "highlights")
    shorten = True

    def beside(self, options: Any) -> tuple[str, ...]:
        """The columns of references."""
        return tuple(options.references or ())

    def notes(self) -> tuple[str, ...]:
        """Say what cannot be measured."""
        return text_measures.missing("rouge_score", "ROUGE-1, -2 and -L")

    def figures(self, prepared: PreparedExamples, part: str, written: Sequence[str]) -> Score:
        """F1 of ROUGE, averaged over rows: against the answer, or against the best of it and the references."""
        right = [[text] for text in prepared.column(part, *prepared.outputs).values]
        for name in prepared.beside_of(part):
            for texts, more in zip(right, prepared.column(part, name).values, strict=True):
                texts.extend([more] if isinstance(more, str) else [] if more is None else more)
        return text_measures.rouge(written, right)

    def naive(self, prepared: PreparedExamples, part: str) -> Iterable[tuple[str, list[str]]]:
        """The first sentence."""
        asked = prepared.column(part, prepared.input_name).values
        yield self.baseline_name, [first_sentence(text) for text in asked]
