"""What a terminal shows of rows: one below the other, and conversations turn by turn."""

import json

import pytest

from elman.cli import output
from elman.errors import UsageError


def test_a_conversation_is_printed_turn_by_turn(capsys):
    turns = ["agent: hello", "customer: my card is gone"]
    beside = {"tags": ["greet", "lost"], "tags_probability": [0.5, 1.0], "topic": "card", "topic_probability": 0.25}
    output.print_table([[{"turns": turns, **beside}, {"turns": "\r\n\n".join(turns), **beside}]])
    one = "topic: card (0.2500)\n  greet  agent: hello\n  lost   customer: my card is gone\n"
    assert capsys.readouterr().out == f"{one}\n{one}"


def test_labels_alone_are_printed_above_the_turns(capsys):
    output.print_table([[{"turns": ["hello you"], "topic": "card", "topic_probability": 0.25}]])
    assert capsys.readouterr().out == "topic: card (0.2500)\n  hello you\n"


def test_other_rows_stay_on_one_line_each(capsys):
    output.print_table([[{"text": "two\nlines here", "label": "a"}, {"text": "one", "label": "b"}]])
    output.print_table([[{"tokens": ["new", "york"], "tags": ["B-city", "I-city"], "tags_probability": [0.5, 0.5]}]])
    assert capsys.readouterr().out.splitlines() == [
        "text            label",
        "two lines here  a",
        "one             b",
        "tokens    tags",
        "new york  B-city I-city",
    ]


def test_rows_are_printed_as_their_blocks_come(capsys):
    first, second = (
        [{"text": "day", "label": "a"}],
        [{"text": "a lovely day", "label": "b"}, {"text": "", "label": "c"}],
    )

    def blocks():
        yield first
        assert capsys.readouterr().out == "text  label\nday   a\n"
        yield second

    assert output.print_table(blocks()) == 3
    assert capsys.readouterr().out == "a lovely day  b\n              c\n"
    for given, whole in (([], []), ([[]], []), ([first, second], first + second)):
        assert output.print_json_rows(given) == len(whole)
        assert capsys.readouterr().out == json.dumps({"rows": whole}) + "\n"

    def broken():
        yield first
        raise UsageError("a later row cannot be answered")

    with pytest.raises(UsageError):
        output.print_json_rows(broken())
    assert capsys.readouterr().out == ""


def test_a_long_name_goes_on_below_so_that_the_figures_stay_in_sight(capsys):
    name = "TF-IDF and logistic regression, each turn with the one before, on the first 20,000 that differ"
    score = {"accuracy": 0.5, "symbols": 2, "unit": "row"}
    output.print_scores("test", score, [{"name": name, "accuracy": 0.25}])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) < 60
    assert [line.split()[-1] for line in lines if line.endswith("0.250")] == ["0.250"]
    assert " ".join(" ".join(lines[3:]).replace("0.250", "").split()) == name


def test_a_long_series_is_told_by_its_first_numbers(capsys):
    short, long = [[1, 2.5], [3, 4]], [[k, 0.5] for k in range(1200)]
    rows = [{"x": short, "tags": [1, 2]}, {"x": long, "tags": [7] * 20}, {"x": ["a"] * 20, "tags": []}]
    output.print_table([rows])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["x", "tags"]
    assert lines[1] == ["1", "2.5000", "3", "4", "1", "2"]
    assert lines[2] == ["0", "0.5000", "1", "...", "(1,200", "steps)", *["7"] * 20]
    assert lines[3] == ["a"] * 20
