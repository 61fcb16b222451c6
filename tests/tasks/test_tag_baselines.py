"""Naive tags of time steps, counted by hand: the most frequent one, and that of the nearest step of training."""

from types import SimpleNamespace

import numpy as np
import pytest

from elman.data.ragged import Ragged
from elman.modalities.label import Label
from elman.modalities.series import EncodedSeries
from elman.modalities.tags import Tags
from elman.tasks import nearest_steps
from elman.tasks.tag_measures import kinds

KNOWN = np.array([0.0, 10.0, 20.0, 30.0, 40.0])
"""Steps of training, tagged a, b, b, c, c; the first series has two of them, and is labelled x."""
ASKED = np.array([1.0, 11.0, 19.0, 42.0])
"""Of two series, tagged a, b, c and b; both are labelled y."""


class Part(SimpleNamespace):
    def __len__(self):
        return len(self.lengths)


def part(values, lengths, tags, labels):
    return Part(
        lengths=np.array(lengths),
        inputs=EncodedSeries(Ragged.of(np.array(values)[:, None].astype(np.float32), lengths)),
        targets={
            "tags": Ragged.of(np.array(tags), lengths),
            "label": Ragged.of(np.array(labels), [1] * len(lengths)),
        },
    )


def prepared(steps=None, **outputs):
    parts = {"train": part(KNOWN, [2, 3], [0, 1, 1, 2, 2], [0, 1]), "test": part(ASKED, [3, 1], [0, 1, 2, 1], [1, 1])}
    return SimpleNamespace(outputs=outputs, examples=parts.__getitem__, steps=steps)


TAGS, LABEL = Tags(["a", "b", "c"]), Label(["x", "y"])


def test_a_step_has_the_most_frequent_tag_or_that_of_the_nearest_step_of_training():
    """Of tags and labels that are equally frequent it is the first: b and x. Nearest are the steps 0, 10, 20 and 40."""
    usual, nearest = nearest_steps.baselines(prepared(tags=TAGS, label=LABEL), "test", "frame")
    assert usual == {
        "name": "most frequent tag; most frequent label",
        "tag_accuracy": 2 / 4, "label_accuracy": 0.0, "row_accuracy": 0.0, "symbols": 2, "unit": "row",
    }  # fmt: skip
    assert nearest == {
        "name": "tag of the nearest frame; most frequent label",
        "tag_accuracy": 2 / 4, "label_accuracy": 0.0, "row_accuracy": 0.0, "symbols": 2, "unit": "row",
    }  # fmt: skip


def test_of_very_many_steps_some_from_all_over_are_compared(monkeypatch):
    """Of five at most two: every third, so that 0 and 30 are left; 1 and 11 are nearer to the first."""
    monkeypatch.setattr(nearest_steps, "LIMIT", 2)
    asked = prepared(tags=TAGS)
    usual, nearest = nearest_steps.baselines(asked, "test", "frame")
    assert usual["name"] == "most frequent tag"
    assert nearest["name"] == "tag of the nearest frame"
    assert nearest["tag_accuracy"] == 2 / 4  # a, a, c and c
    assert nearest_steps._nearest(asked, "test").tolist() == [0, 0, 3, 3]
    monkeypatch.setattr(nearest_steps, "LIMIT", 5)
    assert nearest_steps._nearest(asked, "test").tolist() == [0, 1, 2, 4]


def test_a_table_with_a_row_per_time_step_is_counted_in_time_steps():
    usual, _ = nearest_steps.baselines(prepared(steps="yes", tags=TAGS), "test", "time step")
    assert {name: usual[name] for name in ("symbols", "unit")} == {"symbols": 4, "unit": "time step"}
    assert "row_accuracy" not in usual


def test_a_row_is_right_where_all_its_tags_are_and_several_columns_of_tags_are_told_by_their_mean():
    asked = prepared(tags=TAGS, label=LABEL)
    asked.examples("test").targets["label"].values[:] = [0, 1]
    asked.examples("test").targets["tags"].values[:] = [0, 1, 1, 1]  # the nearest ones have a, b, b and c
    _, nearest = nearest_steps.baselines(asked, "test", "frame")
    assert nearest["tag_accuracy"] == 3 / 4
    assert nearest["label_accuracy"] == nearest["row_accuracy"] == 1 / 2
    asked.outputs["other"] = TAGS
    asked.examples("test").targets["other"] = Ragged.of(np.array([2, 2, 2, 2]), [3, 1])
    asked.examples("train").targets["other"] = Ragged.of(np.array([0, 0, 0, 0, 2]), [2, 3])
    _, nearest = nearest_steps.baselines(asked, "test", "frame")
    assert nearest["tag_accuracy"] == pytest.approx((3 / 4 + 1 / 4) / 2)
    assert nearest["row_accuracy"] == 0.0


def test_where_tags_mark_spans_these_are_scored_over_all_rows():
    """Right are O B B and B, three cities; nearest are O B B and I, which is a day: two cities."""
    tags = Tags(["O", "B-city", "I-day"])
    asked = prepared(tags=tags)
    asked.examples("test").targets["tags"].values[:] = [0, 1, 1, 1]
    _, nearest = nearest_steps.baselines(asked, "test", "word")
    assert nearest["entity_f1"] == pytest.approx(2 * 2 / (3 + 3))
    assert nearest["tag_accuracy"] == 3 / 4
    said = Ragged.of(np.array([0, 1, 1, 2]), [3, 1])
    assert kinds(tags, asked.examples("test").targets["tags"], said) == {"city": (3, 2, 2), "day": (0, 1, 0)}
