"""Tagging: a tag for every token or measurement, and if asked a label for the whole row. Synced many-to-many."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
import torch

from elman.baselines.labels import most_frequent, most_frequent_by_key
from elman.data.parts import spread
from elman.data.ragged import Ragged
from elman.data.steps import StepLayout
from elman.data.tables import Column
from elman.errors import UsageError
from elman.generation.tagging import SeriesStream
from elman.modalities.base import Input, Output
from elman.modalities.label import Label
from elman.modalities.series import EncodedSeries, Series, raw
from elman.modalities.tags import Span, Tags, has_one_for_each, spans_of
from elman.modalities.words import TOKENS, Words, cut
from elman.tasks import labels_of_rows, nearest_steps, tag_measures
from elman.tasks.answering import Answers
from elman.tasks.base import Score
from elman.tasks.measured import SeriesOptions, SeriesTask
from elman.tasks.prepared import PreparedExamples
from elman.topologies.shared import SharedEncoder
from elman.training.options import option

SHOWN = 12
PICTURED, CHANNELS, STEPS = 4, 6, 400
"""Series in the report; the most channels and time steps of each."""


@dataclass(frozen=True, kw_only=True)
class TaggingOptions(SeriesOptions):
    """The defaults are the best found for a few minutes on two cores; docs/log.md has the search."""

    longest: int = option(2000, "the most tokens that a row may have", minimum=1)
    window: int = option(128, "time steps that are learnt from at once, in a table with a row per time step", minimum=2)
    hop: int | None = option(
        None, "time steps from one window's beginning to the next (default: a quarter of the window)", minimum=1
    )

    def check(self) -> None:
        """Windows must leave no time step out."""
        super().check()
        if self.hop is not None and self.hop > self.window:
            raise UsageError(f"--hop {self.hop} exceeds --window {self.window}; give at most that")


class Tagging(SeriesTask):
    """P(tag_t | x_1 ... x_T) for every t, and P(label | x_1 ... x_T), read off one recurrent network.

    Source: Liu & Lane 2016, Attention-based recurrent neural network models for joint intent detection and slot
    filling; the sequence of tags is the most probable one that BIO allows.
    """

    name = "tagging"
    topology = "synced many-to-many"
    metric = "entity F1 (or tag accuracy, where tags are not BIO), label accuracy, whole-row accuracy"
    baseline_name = (
        "most frequent tag of each token, for the label TF-IDF and logistic regression; or tag of the nearest time step"
    )
    Options = TaggingOptions
    inputs = ("numbers", "texts", "text")
    answers = ("texts", "text", "numbers", "number")
    modalities = (Words, Series, Tags, Label)
    tags = True

    def cut(self, layout: StepLayout, options: TaggingOptions) -> StepLayout:
        """Long series are learnt from in windows."""
        return replace(layout, window=options.window, hop=options.hop or max(1, options.window // 4))

    def fit(self, input: Column, outputs: list[Column], options: TaggingOptions) -> tuple[Input, Sequence[Output]]:
        """Tokens or a series; tags, and labels where a column holds one a row."""
        stepwise = {column.name: has_one_for_each(_count(input), input.rows, column) for column in outputs}
        if not any(stepwise.values()):
            raise UsageError(
                f"tagging answers every time step, but {outputs[0].name!r} holds one value a row; name a column of "
                "tags with --output, or train classification"
            )
        measured = input.kind == "numbers"
        known = Series.fit(input, options.noise) if measured else Words.fit(input, TOKENS, options.longest)
        return known, [Tags.fit(column) if stepwise[column.name] else Label.fit(column) for column in outputs]

    def streams(self, prepared: PreparedExamples, options: TaggingOptions) -> str:
        """Time steps of a series, unless it is read from both ends."""
        return "steps" if isinstance(prepared.input, Series) and not options.bidirectional else ""

    def stream(self, network: SharedEncoder, prepared: PreparedExamples, weights: torch.dtype | None) -> SeriesStream:
        """Return the network as one that tags on and on."""
        if not isinstance(prepared.input, Series):
            raise UsageError("a stream of this task has time steps of a series; this run reads tokens, row by row")
        if weights is not None:
            raise UsageError("a stream of a series keeps its weights as they are; leave out weights=")
        return SeriesStream(network, prepared.input, prepared.outputs)

    def figures(self, prepared: PreparedExamples, part: str, found: Mapping[str, Answers]) -> Score:
        """Entity F1, the share of tags, of labels and of whole rows that are right."""
        return tag_measures.figures(prepared, part, {name: answers.choices for name, answers in found.items()})

    def baselines(self, prepared: PreparedExamples, part: str) -> list[Score]:
        """The most frequent tag of each token as a form, the label by logistic regression; or the nearest time step."""
        if isinstance(prepared.input, Series):
            return nearest_steps.baselines(prepared, part, "time step")
        titles, choices = ["most frequent tag of each token"], {}
        for name, output in prepared.outputs.items():
            if output.stepwise:
                choices[name] = _usual_tags(prepared, part, name)
                continue
            linear = labels_of_rows.linear(prepared, part, name)
            titles += ["most frequent label" if isinstance(linear, str) else "TF-IDF and logistic regression"]
            train, rows = prepared.examples("train").targets[name].values, len(prepared.examples(part))
            answers = np.full(rows, most_frequent(train)) if isinstance(linear, str) else linear
            choices[name] = Ragged.of(answers, np.ones(rows, np.int64))
        return [{"name": "; ".join(dict.fromkeys(titles)), **tag_measures.figures(prepared, part, choices)}]

    def showcase(self, network: Any, prepared: PreparedExamples, options: TaggingOptions) -> dict[str, Any]:
        """Return rows with their spans, every kind of span with its figures, and which labels are confused."""
        del options
        part = prepared.shown
        found = self.answered(network, prepared, part)
        measured = isinstance(prepared.input, Series)
        shown: dict[str, Any] = {}
        if measured:
            shown["bands"] = _bands(prepared, part, found)
        else:
            shown["spans"] = _spans(prepared, part, found)
        confusions = [name for name, output in prepared.outputs.items() if measured or not _has_spans(output)]
        return shown | labels_of_rows.reviewed(prepared, part, found, confusions)


def _has_spans(output: Output) -> bool:
    """Whether answers are spans of tokens, which are told one by one."""
    return isinstance(output, Tags) and output.spans


def _count(column: Column) -> pl.Series:
    """How many time steps each row has."""
    if column.kind == "numbers":
        return pl.Series(raw(column).lengths)
    return column.values.list.len() if column.kind == "texts" else column.values.str.count_matches(TOKENS)


def _usual_tags(prepared: PreparedExamples, part: str, name: str) -> Ragged:
    """The tag that each token of a part had most often in training; of an unseen token the most frequent of all."""
    if name not in prepared.fitted:
        tags = prepared.examples("train").targets[name].values
        prepared.fitted[name] = (
            most_frequent_by_key(_tokens(prepared, "train").explode().to_list(), tags),
            most_frequent(tags),
        )
    usual, other = prepared.fitted[name]
    lists = _tokens(prepared, part)
    return Ragged.of(np.array([usual.get(form, other) for form in lists.explode()]), lists.list.len().to_numpy())


def _tokens(prepared: PreparedExamples, part: str) -> pl.Series:
    """The tokens of a part, row by row."""
    return cut(prepared.column(part, prepared.input_name), TOKENS)


def _bands(prepared: PreparedExamples, part: str, found: Mapping[str, Answers]) -> list[dict[str, Any]]:
    """Rows from all over a part: what was measured, and along it the tags of the first column that holds any."""
    name = next(name for name, output in prepared.outputs.items() if output.stepwise)
    output, targets, answers = prepared.outputs[name], prepared.examples(part).targets[name], found[name]
    inputs = prepared.examples(part).inputs
    assert isinstance(inputs, EncodedSeries)
    numbers, steps = prepared.column(part, prepared.input_name).rows, prepared.steps
    series = prepared.column(part, steps.group).values if steps and steps.group else None
    chosen = spread(len(targets), PICTURED)
    return [
        {
            "row": int(numbers[k]),
            "series": None if series is None else str(series[int(k)]),
            "names": None if steps is None else steps.inputs[:CHANNELS],
            "channels": inputs.rows[k].T[:CHANNELS, :STEPS].round(3).tolist(),
            "truth": output.named(targets[k])[:STEPS],
            "answer": output.named(answers.choices[k])[:STEPS],
        }
        for k in chosen
    ]


def _spans(prepared: PreparedExamples, part: str, found: Mapping[str, Answers]) -> dict[str, Any] | None:
    """The first column of BIO tags, else of plain ones: figures by kind, and rows, the surest mistakes first."""
    named = {name: output for name, output in prepared.outputs.items() if isinstance(output, Tags)}
    name = next((name for name, output in named.items() if output.spans), next(iter(named), None))
    if name is None:
        return None
    output = named[name]
    marked = spans_of if output.spans else _each
    targets, answers = prepared.examples(part).targets[name], found[name]
    sure = np.add.reduceat(answers.probabilities.values, targets.starts[:-1]) / targets.lengths
    wrong = np.logical_or.reduceat(answers.choices.values != targets.values, targets.starts[:-1])
    order = np.lexsort((-sure, ~wrong))[:SHOWN]
    tokens, numbers = _tokens(prepared, part), prepared.column(part, prepared.input_name).rows
    kinds = tag_measures.kinds(output, targets, answers.choices) if output.spans else {}
    return {
        "part": part,
        "kinds": {kind: counts._asdict() for kind, counts in kinds.items()},
        "rows": [
            {
                "row": int(numbers[k]),
                "tokens": tokens[int(k)].to_list(),
                "truth": sorted(marked(output.named(targets[k]))),
                "answer": sorted(marked(output.named(answers.choices[k]))),
            }
            for k in order
        ],
    }


def _each(tags: Sequence[str]) -> set[Span]:
    """Every token with its tag, where tags are no spans."""
    return {Span(k, k + 1, tag) for k, tag in enumerate(tags)}
