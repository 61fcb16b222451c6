"""Tagging: a tag for every token, and if asked a label for the whole row. Synced many-to-many, from both directions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from elman.baselines.labels import most_frequent, most_frequent_by_key
from elman.data.ragged import Array, Ragged
from elman.data.tables import Column
from elman.errors import UsageError
from elman.modalities.base import Input, Output
from elman.modalities.label import Label
from elman.modalities.tags import Tags
from elman.modalities.words import TOKENS, Words
from elman.tasks import labels_of_rows, measures
from elman.tasks.answering import Answers
from elman.tasks.base import Score
from elman.tasks.examples import ExampleOptions, ExampleTask
from elman.tasks.prepared import PreparedExamples
from elman.training.options import option

SHOWN = 12


@dataclass(frozen=True, kw_only=True)
class TaggingOptions(ExampleOptions):
    """The defaults are the best found for a few minutes on two cores; docs/log.md has the search."""

    longest: int = option(2000, "the most tokens that a row may have", minimum=1)


class Tagging(ExampleTask):
    """P(tag_t | x_1 ... x_T) for every t, and P(label | x_1 ... x_T), read off one recurrent network.

    Source: Liu & Lane 2016, Attention-based recurrent neural network models for joint intent detection and slot
    filling; the sequence of tags is the most probable one that BIO allows.
    """

    name = "tagging"
    topology = "synced many-to-many"
    metric = "entity F1 (or tag accuracy, where tags are not BIO), label accuracy, whole-row accuracy"
    baseline_name = "most frequent tag of each token; for the label TF-IDF and logistic regression"
    Options = TaggingOptions
    inputs = ("texts", "text")
    answers = ("texts", "text", "number")
    modalities = (Words, Tags, Label)

    def fit(self, input: Column, outputs: list[Column], options: TaggingOptions) -> tuple[Input, Sequence[Output]]:
        """Tokens; tags, and labels where a column holds one a row."""
        words = Words.fit(input, TOKENS, options.longest)
        return words, [Tags.fit(column) if _is_stepwise(input, column) else Label.fit(column) for column in outputs]
