"""What a terminal shows of rows: one below the other, and conversations turn by turn."""

import json

import pytest

from elman.cli import export, output
from elman.errors import UsageError
from elman.export import Exported


def test_a_conversation_is_printed_turn_by_turn(capsys):
    turns = ["agent: hello", "customer: my card is gone"]
    beside = {"tags": ["greet", "lost"], "tags_probability": [0.5, 1.0], "topic": "card", "topic_probability": 0.25}
    output.print_table([[{"turns": turns, **beside}, {"turns": "\r\n\n".join(turns), **beside}]])
    one = "topic: card (0.2500)\n  greet  agent: hello\n  lost   customer: my card is gone\n"
    assert capsys.readouterr().out == f"{one}\n{one}"


@pytest.mark.parametrize("joined", [False, True])
def test_a_call_of_one_turn_is_printed_like_those_of_several(capsys, joined):
    calls = [(["hello you", "good bye"], ["greet", "end"]), (["hello"], ["greet"])]
    rows = [{"turns": "\n".join(turns) if joined else turns, "tags": tags} for turns, tags in calls]
    output.print_table([rows, [rows[1] | {"topic": "card"}]])
    said = "  greet  hello you\n  end    good bye\n\n  greet  hello\n\ntopic: card\n  greet  hello\n"
    assert capsys.readouterr().out == said


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
    output.print_table([[{"x": list(range(count)), "tag": "a"} for count in (12, 13)]])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[1:] == [[*map(str, range(12)), "a"], ["0", "1", "2", "...", "(13", "steps)", "a"]]


def test_a_score_says_how_much_was_scored_and_has_its_headline_first(capsys):
    score = {
        "symbols": 1200,
        "unknown": 3,
        "series": 2,
        "unit": "row",
        "accuracy": 0.5,
        "macro_f1": 0.75,
        "found_late": 7,
    }
    beside = [{"name": "naive", "macro_f1": 0.25, "note": "Naive is naive."}]
    output.print_scores("test", score | {"headline": "macro_f1", "signature": "signed"}, beside)
    said, headings, own, naive, *rest = capsys.readouterr().out.splitlines()
    assert said == "test: 1,200 rows of 2 series, 3 of them unknown"
    assert headings.split() == ["macro", "F1", "accuracy", "found", "late"]
    assert own.split() == ["this", "network", "0.750", "0.500", "7.000"]
    assert naive.split() == ["naive", "0.250", "-", "-"]
    assert rest == ["signed", "Naive is naive."]
    output.print_scores("test", {"symbols": 1, "unit": "row", "accuracy": 1.0}, [])
    assert capsys.readouterr().out.startswith("test: 1 row\n")


@pytest.mark.parametrize(
    ("value", "printed"),
    [(None, "-"), (1234.5678, "1235"), (-100.0, "-100"), (99.94, "99.940"), (0.000312, "0.00031"), (0.0, "0.000")],
)
def test_a_figure_has_the_digits_that_tell_something(value, printed):
    assert output.figure(value) == printed


@pytest.mark.parametrize(
    ("value", "printed"),
    [(0.00001234, "1.23e-05"), (-0.5, "-0.5000"), (0.0, "0.0000"), (None, ""), (3, "3"), ([0.25, None, "a\nb"], None)],
)
def test_a_cell_stays_on_one_line(capsys, value, printed):
    output.print_table([[{"read": "x", "found": value}]])
    line = capsys.readouterr().out.splitlines()[1:]
    assert line == [f"x     {'0.2500  a b' if printed is None else printed}".rstrip()]


def test_rows_that_come_one_by_one_stand_below_their_names(capsys):
    def rows():
        yield {"line": 1, "probability": -0.5, "text": "a"}
        assert capsys.readouterr().out == "line  probability  text\n   1      -0.5000  a\n"
        yield {"line": 2, "probability": -0.25, "text": "b c"}

    output.print_as_they_come(rows(), json=False)
    assert capsys.readouterr().out == "   2      -0.2500  b c\n"
    output.print_as_they_come([{"line": 1}, {"line": 2}], json=True)
    assert capsys.readouterr().out == '{"line": 1}\n{"line": 2}\n'


def test_the_names_of_a_table_are_those_of_a_row_that_has_an_answer(capsys):
    empty, told = {"text": "a", "label": None}, {"text": "b c", "label": "x", "label_symbols": [1.0]}
    empty["label_symbols"] = None
    output.print_table([[empty, told], [empty]])
    assert capsys.readouterr().out == "text  label\na\nb c   x\na\n"


CHECK = {
    "runtime": "onnxruntime 1.2",
    "part": "test",
    "models": {"model": {"largest": 2e-5, "batches": [{"rows": 32, "steps": 7}, {"rows": 5, "steps": 9}]}},
    "example": {"rows": 20, "encoded_otherwise": 0},
}


def told(capsys, check, quantized=None):
    """The lines that an export of one model prints."""
    port = {"type": "float32", "meaning": "z-scores", "shape": ["batch", 3]}
    ports = {"inputs": [port | {"name": "values"}], "outputs": [port | {"name": "mean"}]}
    models = {"model": {"file": "model.onnx", "does": "answers whole rows", **ports}}
    scores = {"valid": {"loss": 0.1}, "test": {"loss": 0.25, "symbols": 9, "unit": "row"}}
    described = {"models": models, "scores": scores, "quantized": quantized, "check": check}
    export._print(Exported("out", described, {"model.onnx": 123_456, "example.py": 1400}))
    return capsys.readouterr().out.splitlines()


def test_an_export_says_what_each_model_takes_and_gives_and_how_far_it_is_from_the_run(capsys):
    apart = "  differs from the run by at most 2.0e-05 (onnxruntime 1.2; test part, "
    assert told(capsys, CHECK) == [
        "model.onnx, 0.1 MB: answers whole rows",
        "  in   values  float32 (batch, 3)  z-scores",
        "  out  mean    float32 (batch, 3)  z-scores",
        f"{apart}batches of up to 32 rows, up to 9 steps)",
        "Written: out (model.json has the rest, example.py runs it)",
    ]


def test_an_export_says_what_its_check_has_found(capsys):
    assert told(capsys, None)[3:-1] == [
        "Not checked: onnxruntime is not installed (pip install 'elman[export]' and export again)."
    ]
    otherwise = CHECK | {"example": {"rows": 20, "encoded_otherwise": 3}}
    assert told(capsys, otherwise)[4:-1] == ["example.py encodes 3 of 20 held-out rows otherwise than the run."]
    scored = [line.split() for line in told(capsys, CHECK | {"score": {"loss": 0.5}}, "int8")[4:-1]]
    assert [" ".join(line) for line in scored] == [
        *("test part: 9 rows", "nats per row", "this network 0.250", "these models 0.500")
    ]
    (unscored,) = told(capsys, CHECK, "int8")[4:-1]
    assert unscored.startswith("The score was not measured anew")


@pytest.mark.parametrize(
    ("count", "said"), [(1400, "1 kB"), (99_999, "100 kB"), (100_000, "0.1 MB"), (2_345_678, "2.3 MB")]
)
def test_the_size_of_a_file(count, said):
    assert export._size(count) == said
