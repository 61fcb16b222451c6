"""What tags and labels are worth: each share is counted by hand, from the answers of a run."""

import pytest

from elman.data import tables

from .conftest import tagged


def test_tags_labels_and_whole_rows_are_scored_by_how_many_are_answered(trained, tmp_path):
    """Of a table in which some of what the network answers rightly is wrong: by tag, by label, and by row."""
    run, rows = trained["tagged.jsonl"], tagged(40, seed=2)
    for k, (row, said) in enumerate(zip(rows, run.predict(rows), strict=True)):
        row["tags"] = ["B-to" if k % 3 == 0 else said["tags"][0], *said["tags"][1:]]
        row["intent"] = said["intent"] if k % 4 else {"fly": "drive", "drive": "fly"}[said["intent"]]
    score = run.evaluate(tables.write(tmp_path / "t.jsonl", rows))["score"]
    assert score["tag_accuracy"] == pytest.approx(1 - 14 / sum(len(row["tags"]) for row in rows))
    assert score["label_accuracy"] == pytest.approx(30 / 40)
    assert score["row_accuracy"] == pytest.approx(20 / 40)  # 14 and 10 are wrong, 4 of them both ways
