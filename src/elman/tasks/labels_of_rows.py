"""What tasks that label whole rows share: naive baselines, confusions and mistakes, in the words of their labels."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import polars as pl

from elman.baselines import labels as naive
from elman.data.ragged import Integers, Ragged
from elman.modalities.images import EncodedImages
from elman.modalities.recordings import EncodedRecordings
from elman.modalities.series import EncodedSeries
from elman.modalities.videos import EncodedVideos
from elman.tasks import measures
from elman.tasks.answering import Answers
from elman.tasks.base import Score
from elman.tasks.looking import picture
from elman.tasks.prepared import PreparedExamples
from elman.tasks.trust import trust

Numbers = EncodedSeries | EncodedImages | EncodedVideos | EncodedRecordings
"""What rows of numbers, of which one can be near another, are encoded as; all else is words."""
LIMIT = 20_000
"""Rows of the training part that a baseline learns from, drawn at random: tables are often sorted by label."""
MATRIX, PAIRS, MISTAKES, SHOWN = 100, 20, 12, 400


def baselines(prepared: PreparedExamples, part: str, name: str) -> list[Score]:
    """Return the figures of the most frequent label, and of a linear model of words or of the nearest row.

    Of videos also those of a linear model of the mean and the deviation of each pixel, which know no order.
    """
    targets, symbols = prepared.examples(part).targets[name].values, len(prepared.outputs[name].symbols)
    train = prepared.examples("train").targets[name].values
    usual = np.full(len(targets), naive.most_frequent(train))
    found: list[Score] = [{"name": "most frequent label", **measures.of_labels(usual, targets, symbols)}]
    inputs = prepared.examples("train").inputs
    choices: dict[str, Integers | str] = {}
    if isinstance(inputs, Numbers):
        choices["nearest neighbour"] = _nearest(prepared, part, name)
    else:
        choices["TF-IDF and logistic regression"] = linear(prepared, part, name)
    if isinstance(inputs, EncodedVideos):
        choices["mean, deviation and logistic regression"] = _linear_on_moments(prepared, part, name)
    for method, chosen in choices.items():
        title = method + (f" on {LIMIT:,} of the rows" if len(train) > LIMIT else "")
        if isinstance(chosen, str):
            found.append({"name": title, "note": f"{title}: {chosen}"})
        else:
            found.append({"name": title, **measures.of_labels(chosen, targets, symbols)})
    return found


def reviewed(
    prepared: PreparedExamples, part: str, found: Mapping[str, Answers], confusions: Iterable[str] | None = None
) -> dict[str, Any]:
    """Return of every answered column what is confused, if it is among `confusions`, and how sure answers can be."""
    shown = list(found if confusions is None else confusions)
    rights = {name: own.choices.values == prepared.examples(part).targets[name].values for name, own in found.items()}
    return {
        "confusion": [{"part": part} | confused(prepared, part, name, found[name]) for name in shown],
        "trust": [{"column": name} | trust(own.probabilities.values, rights[name]) for name, own in found.items()],
    }


def confused(prepared: PreparedExamples, part: str, name: str, answers: Answers) -> dict[str, Any]:
    """Return the counts of every label answered for every other, where they are not too many, and what is confused."""
    symbols = prepared.outputs[name].symbols
    choices, targets = answers.choices.values, prepared.examples(part).targets[name].values
    shown = len(symbols) <= MATRIX
    return {
        "column": name,
        "labels": symbols if shown else [],
        "counts": measures.confusion(choices, targets, len(symbols)).tolist() if shown else [],
        "pairs": [
            {"truth": symbols[truth], "answer": symbols[answer], "rows": rows, "of": int((targets == truth).sum())}
            for truth, answer, rows in measures.confused(choices, targets)[:PAIRS]
        ],
    }


def mistakes(prepared: PreparedExamples, part: str, name: str, answers: Answers) -> list[dict[str, Any]]:
    """Return the wrong answers that the network is most sure of."""
    symbols, targets = prepared.outputs[name].symbols, prepared.examples(part).targets[name].values
    wrong = np.flatnonzero(answers.choices.values != targets)
    surest = wrong[np.argsort(-answers.probabilities.values[wrong], kind="stable")][:MISTAKES]
    column, inputs = prepared.column(part, prepared.input_name).take(surest), prepared.examples(part).inputs
    return [
        {
            "row": int(row),
            "input": _shown(value),
            **picture(inputs, int(k)),
            "truth": symbols[targets[k]],
            "answer": symbols[answers.choices.values[k]],
            "probability": float(answers.probabilities.values[k]),
        }
        for k, row, value in zip(surest, column.rows, column.values, strict=True)
    ]


def texts(prepared: PreparedExamples, part: str, rows: Integers | None = None) -> list[str]:
    """Return the texts of a part, or of some of its rows; tokens with spaces between them."""
    values = prepared.column(part, prepared.input_name).values
    values = values if rows is None else values.gather(pl.Series(rows))
    return [value if isinstance(value, str) else " ".join(value) for value in values]


def linear(prepared: PreparedExamples, part: str, name: str) -> Integers | str:
    """The answers of the linear model, or why there is none."""
    if name not in prepared.fitted:
        train = prepared.examples("train").targets[name].values
        rows = _drawn(len(train))
        try:
            prepared.fitted[name] = naive.LinearOnWords(texts(prepared, "train", rows), train[rows])
        except naive.NotMeasuredError as why:
            return str(why)
    found: Integers = prepared.fitted[name].predict(texts(prepared, part))
    return found


def _drawn(count: int) -> Integers:
    """The numbers of the rows that a baseline learns from, of so many."""
    return np.sort(np.random.default_rng(0).choice(count, min(count, LIMIT), replace=False))


def _nearest(prepared: PreparedExamples, part: str, name: str) -> Integers:
    labels = prepared.examples("train").targets[name].values
    return naive.nearest_row(_rows(prepared, "train"), labels, _rows(prepared, part), _drawn(len(labels)))


def _linear_on_moments(prepared: PreparedExamples, part: str, name: str) -> Integers | str:
    """The answers of a linear model of mean and deviation over time, or why there is none."""
    if name not in prepared.fitted:
        train = prepared.examples("train").targets[name].values
        rows = _drawn(len(train))
        try:
            seen = naive.moments(_rows(prepared, "train").take(rows))
            prepared.fitted[name] = naive.LinearOnNumbers(seen, train[rows])
        except naive.NotMeasuredError as why:
            return str(why)
    found: Integers = prepared.fitted[name].predict(naive.moments(_rows(prepared, part)))
    return found


def _rows(prepared: PreparedExamples, part: str) -> Ragged:
    """A part's rows as series of numbers."""
    inputs = prepared.examples(part).inputs
    assert isinstance(inputs, Numbers)
    return inputs.rows


def _shown(value: Any) -> str:
    """What was read, as a text that is not too long."""
    if isinstance(value, str):
        text = value
    elif len(value) and isinstance(value[0], str):
        text = " ".join(value)
    else:
        text = "  ".join(" ".join(f"{number:.4g}" for number in np.atleast_1d(step)) for step in value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]} ..."
