"""Tagging with tags that mark no spans: every word has its own."""

import elman


def test_words_with_plain_tags_have_their_examples_confusions_and_trust(tmp_path):
    made = [{"tokens": [a, b], "tags": [a.upper(), b.upper()], "kind": a} for a in "xyz" for b in "xyz"] * 8
    run = elman.train(
        "tagging", made, out=tmp_path / "r", output=["tags", "kind"], quiet=True, hidden=8, epochs=1.0, batch=16
    )
    shown = run.description
    assert {entry["column"] for entry in shown["confusion"]} == {"tags", "kind"}
    assert {entry["column"]: entry["answers"] for entry in shown["trust"]} == {"tags": 14, "kind": 7}
    assert [span[:2] for span in shown["spans"]["rows"][0]["truth"]] == [[0, 1], [1, 2]]
