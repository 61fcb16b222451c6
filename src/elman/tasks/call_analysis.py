"""Call analysis: labels of a whole call, and tags of its turns. Words make turns, and turns make the call.

What an answer means depends on what was asked: a turn is read in the light of the others. The task does not know who
speaks; that stands in the turns, or is asked for as a tag.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from elman.baselines import labels as naive
from elman.cells import title
from elman.data.parts import spread
from elman.data.ragged import Integers, Ragged
from elman.data.tables import Column
from elman.modalities.base import Input, Output
from elman.modalities.label import Label
from elman.modalities.tags import Tags, has_one_for_each
from elman.modalities.turns import EncodedTurns, Turns, lists
from elman.tasks import labels_of_rows, measures, roles, tag_measures
from elman.tasks.answering import Answers, answer
from elman.tasks.base import Score
from elman.tasks.examples import ExampleOptions, ExampleTask
from elman.tasks.prepared import PreparedExamples
from elman.training.examples import Examples
from elman.training.options import option

SHOWN, TOLD = 6, 60
"""Calls in the report, and the most turns of each."""


@dataclass(frozen=True, kw_only=True)
class CallAnalysisOptions(ExampleOptions):
    """The defaults are the best found for a few minutes on two cores; docs/log.md has the search."""

    bidirectional: bool = option(True, "read each call from both ends; without, a call can be followed as it goes on")
    word_hidden: int = option(64, "hidden units per direction of the recurrence over a turn's words", minimum=1)
    word_dropout: float = option(0.2, "dropout of the words' features", minimum=0, maximum=0.99, anew=True)
    dropout: float = option(0.2, "dropout between layers and before the output", minimum=0, maximum=0.99, anew=True)
    input_dropout: float | None = option(
        None, "dropout of the turns' features (default: 0.1)", minimum=0, maximum=0.99, anew=True
    )
    batch: int | None = option(None, "calls in a batch (default: 16, fewer where they are few)", minimum=1, anew=True)
    longest: int = option(1000, "the most turns that a call may have, and the most words of a turn", minimum=1)

    def batch_size(self, rows: int) -> int:
        """Half as many as of other rows: each has many turns."""
        return self.batch or max(1, super().batch_size(rows) // 2)


class CallAnalysis(ExampleTask):
    """P(label | turns 1 ... T) and P(tag_t | turns 1 ... T), each turn a vector that a recurrence over its words made.

    Read in one direction, P(tag_t | turns 1 ... t): what is said later changes no tag.

    Source: Yang et al. 2016, Hierarchical attention networks for document classification; here what a turn says is read
    off its last states and their maximum.
    """

    name = "call-analysis"
    topology = "many-to-one and synced many-to-many"
    metric = "tag accuracy (and entity F1, where tags are BIO), label accuracy, macro F1, whole-row accuracy"
    baseline_name = (
        "most frequent tag and label; TF-IDF and logistic regression, of each turn with the one before and of the call"
    )
    Options = CallAnalysisOptions
    inputs = ("texts", "text")
    answers = ("texts", "text", "number")
    answer_names = (*roles.LABELS, "outcome", "topic", "sentiment")
    modalities = (Turns, Tags, Label)
    skip = True

    def fit(self, input: Column, outputs: list[Column], options: CallAnalysisOptions) -> tuple[Input, Sequence[Output]]:
        """Turns; tags where a column holds one for each of them, else labels."""
        o, turns = options, lists(input, options.longest).list.len()
        answers = [
            Tags.fit(column) if has_one_for_each(turns, input.rows, column) else Label.fit(column) for column in outputs
        ]
        return Turns.fit(input, o.longest, o.cell, o.word_hidden, o.word_dropout), answers

    def describe(self, options: CallAnalysisOptions) -> dict[str, Any]:
        """Say cell, layers and sizes of both recurrences."""
        said = super().describe(options)["summary"]
        words = f"bidirectional {title(options.cell)} of {options.word_hidden} hidden units each way"
        return {"summary": f"over words a {words}, over turns a {said}"}

    def figures(self, prepared: PreparedExamples, part: str, found: Mapping[str, Answers]) -> Score:
        """The share of tags, of labels and of whole rows that are right; macro F1 of the labels."""
        return _figures(prepared, part, {name: answers.choices for name, answers in found.items()})

    def baselines(self, prepared: PreparedExamples, part: str) -> list[Score]:
        """The most frequent tag and label; a linear model of each turn and the one before it, and one of each call."""
        usual, linear, why = {}, {}, ""
        for name, output in prepared.outputs.items():
            known, asked = (prepared.examples(each).targets[name] for each in ("train", part))
            usual[name] = Ragged(np.full(len(asked.values), naive.most_frequent(known.values)), asked.starts)
            found = _linear_on_turns if output.stepwise else labels_of_rows.linear
            if isinstance(choices := found(prepared, part, name), str):
                why = choices
            else:
                linear[name] = Ragged(choices, asked.starts)
        each = [output.stepwise for output in prepared.outputs.values()]
        names = " and ".join([*["tag"] * any(each), *["label"] * (not all(each))])
        first = {"name": f"most frequent {names}"} | _figures(prepared, part, usual)
        title = "TF-IDF and logistic regression" + ", each turn with the one before" * any(each)
        kinds = [len(_counts(prepared, name)) for name, output in prepared.outputs.items() if output.stepwise]
        if max(kinds, default=0) > labels_of_rows.LIMIT:
            title += f", on the first {labels_of_rows.LIMIT:,} that differ"
        if why:
            return [first, {"name": title, "note": f"{title}: {why}"}]
        return [first, {"name": title} | _figures(prepared, part, linear)]

    def showcase(self, network: Any, prepared: PreparedExamples, options: CallAnalysisOptions) -> dict[str, Any]:
        """Return calls turn by turn, what each column's answers confuse, and the surest wrong labels."""
        del options
        part, found = prepared.shown, self.answered(network, prepared, prepared.shown)
        rows = spread(len(prepared.examples(part)), SHOWN)
        shown = {
            "calls": [_call(network, prepared, part, int(row), found) for row in rows],
            **labels_of_rows.reviewed(prepared, part, found),
        }
        for label in [name for name, output in prepared.outputs.items() if not output.stepwise][:1]:
            shown["mistakes"] = labels_of_rows.mistakes(prepared, part, label, found[label])
        return shown


def _figures(prepared: PreparedExamples, part: str, choices: Mapping[str, Ragged]) -> Score:
    """What `tag_measures` has, macro F1 of the labels, and each column's accuracy where there are several of a kind."""
    targets, score = prepared.examples(part).targets, tag_measures.figures(prepared, part, choices)
    own = {
        name: measures.of_labels(choices[name].values, targets[name].values, len(output.symbols))
        for name, output in prepared.outputs.items()
    }
    labels = [name for name, output in prepared.outputs.items() if not output.stepwise]
    if labels:
        score["label_macro_f1"] = sum(own[name]["macro_f1"] for name in labels) / len(labels)
    for alike in (labels, [name for name in own if name not in labels]):
        score |= {f"accuracy_{name}": own[name]["accuracy"] for name in alike if len(alike) > 1}
    return score


def _linear_on_turns(prepared: PreparedExamples, part: str, name: str) -> Integers | str:
    """The answers of a linear model that sees each turn and the one before, or why there are none."""
    if name not in prepared.fitted:
        counts = _counts(prepared, name).head(labels_of_rows.LIMIT)
        turns, before = (counts[each].to_list() for each in ("turn", "before"))
        try:
            prepared.fitted[name] = naive.LinearOnWords(
                turns, counts["tag"].to_numpy(), counts["len"].to_numpy(), before
            )
        except naive.NotMeasuredError as error:
            return str(error)
    asked = _turns(prepared, part)
    found: Integers = prepared.fitted[name].predict(asked["turn"].to_list(), asked["before"].to_list())
    return found


def _counts(prepared: PreparedExamples, name: str) -> pl.DataFrame:
    """How often each turn of the training part has each tag after each turn before it."""
    tags = pl.Series("tag", prepared.examples("train").targets[name].values)
    said = _turns(prepared, "train").with_columns(tags)
    return said.group_by("turn", "before", "tag", maintain_order=True).len()


def _turns(prepared: PreparedExamples, part: str) -> pl.DataFrame:
    """The turns of all calls of a part, one call after the other, each beside the turn before it in its call."""
    calls = lists(prepared.column(part, prepared.input_name)).alias("turn").to_frame()
    before = pl.col("turn").list.eval(pl.element().shift(fill_value="")).alias("before")
    return calls.with_columns(before).explode("turn", "before")


def _call(
    network: Any, prepared: PreparedExamples, part: str, row: int, found: Mapping[str, Answers]
) -> dict[str, Any]:
    """A call for the report: its turns with truth and answers, its labels with what each turn did for them."""
    column, targets = prepared.column(part, prepared.input_name), prepared.examples(part).targets
    shown: dict[str, Any] = {
        "row": int(column.rows[row]),
        "turns": lists(column.take(np.array([row])))[0].to_list()[:TOLD],
        "tags": {},
        "labels": {},
    }
    without = _without(network, prepared, part, row, found)
    for name, output in prepared.outputs.items():
        truth, said = ([output.symbols[k] for k in each[row]] for each in (targets[name], found[name].choices))
        if output.stepwise:
            shown["tags"][name] = {"truth": truth[:TOLD], "answer": said[:TOLD]}
            continue
        sure = float(found[name].probabilities.values[row])
        own = {"probability": sure, "without": without.get(name, [])[:TOLD]}
        shown["labels"][name] = {"truth": truth[0], "answer": said[0]} | own
    return shown


def _without(
    network: Any, prepared: PreparedExamples, part: str, row: int, found: Mapping[str, Answers]
) -> dict[str, list[float]]:
    """How probable each label that was answered is without each turn of the call; nothing where there is but one.

    Weights of attention would not tell: the label is read off last states and a maximum too.
    """
    inputs = prepared.examples(part).inputs
    assert isinstance(inputs, EncodedTurns)
    turns = int(inputs.lengths[row])
    outputs = {name: output for name, output in prepared.outputs.items() if not output.stepwise}
    if turns < 2:
        return {}
    asked = {name: np.full(turns, found[name].choices.values[row]) for name in outputs}
    targets = {name: Ragged.of(choices, np.ones(turns, np.int64)) for name, choices in asked.items()}
    answers = answer(network, Examples(inputs.without_each(row), targets, dict.fromkeys(outputs, False)), outputs)
    return {name: np.exp(-answers[name].losses.values.astype(np.float64)).tolist() for name in outputs}
