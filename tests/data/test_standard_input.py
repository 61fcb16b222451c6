"""Standard input as a table."""

import io
import json
import sys
import tracemalloc

import pytest

from elman.data import standard_input
from elman.errors import DataError


def test_standard_input_is_json_lines_or_texts(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"q": "a", "n": 1}\n\n{"q": "b", "n": 2}\n'))
    assert standard_input.read("q").frame.to_dicts() == [{"q": "a", "n": 1}, {"q": "b", "n": 2}]
    monkeypatch.setattr(sys, "stdin", io.StringIO("one\ntwo\n"))
    assert standard_input.read("q").frame.to_dicts() == [{"q": "one"}, {"q": "two"}]
    monkeypatch.setattr(sys, "stdin", io.StringIO("[[1, 2.5], [3, 4]]\n[[5, 6]]\n"))
    assert standard_input.read("q").frame.to_dicts() == [{"q": [[1, 2.5], [3, 4]]}, {"q": [[5, 6]]}]
    monkeypatch.setattr(sys, "stdin", io.StringIO('["fly", "to"]\n'))
    assert standard_input.read("q").frame.to_dicts() == [{"q": ["fly", "to"]}]
    monkeypatch.setattr(sys, "stdin", io.StringIO('["fly"]\n[urgent] call me\n'))
    assert standard_input.read("q").frame.to_dicts() == [{"q": '["fly"]'}, {"q": "[urgent] call me"}]
    for form in ('\ufeff{{"q": "{0}"}}\n', "\ufeff{0}\n"):  # a line ends as in a file, whatever ends one for Unicode
        monkeypatch.setattr(sys, "stdin", io.StringIO(form.format("a\u2028b\u0085c")))
        assert standard_input.read("q").frame.to_dicts() == [{"q": "a\u2028b\u0085c"}]
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n"))
    with pytest.raises(DataError, match="standard input is empty"):
        standard_input.read("q")


@pytest.mark.parametrize("between", ["\t", ";", ","])
def test_a_table_is_not_taken_for_texts(monkeypatch, between):
    monkeypatch.setattr(sys, "stdin", io.StringIO(f'id{between}"q"\n1{between}one{between} two\n'))
    with pytest.raises(DataError, match=r"begins with a table's header, .* name the table's file, or send JSON lines"):
        standard_input.read("q")
    for texts in (f"q{between}\nwhy\n", f"q{between}r\n", "q\nwhy\n", f"a q{between}b\nc{between}d\n"):
        monkeypatch.setattr(sys, "stdin", io.StringIO(texts))
        assert len(standard_input.read("q")) == texts.count("\n")


def test_json_lines_of_several_blocks_are_one_table(monkeypatch):
    monkeypatch.setattr(standard_input, "BLOCK", 2)
    rows = [{"q": None, "n": 1}, {}, {"q": None}, {}, {"q": [1], "n": 2.5}, {"q": [0.5]}, {}]
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(map(json.dumps, rows))))
    empty = {"q": None, "n": None}
    assert standard_input.read("q").frame.to_dicts() == [empty | row for row in rows]


@pytest.mark.parametrize(
    ("wrong", "why"), [('{"q": [1, "a"]}', "a list of different things"), ('{"q": 1}', "a number")]
)
def test_a_row_of_a_later_block_is_named(monkeypatch, wrong, why):
    monkeypatch.setattr(standard_input, "BLOCK", 2)
    good = [json.dumps({"q": text}) for text in ("a", None, None)]
    lines = [*good, wrong] if why == "a number" else [*good[1:], good[1], wrong]
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(lines)))
    with pytest.raises(DataError, match=f"standard input, row 4, column 'q' holds {why}"):
        standard_input.read("q")


@pytest.mark.parametrize("form", ["{}", '{{"q": "{}"}}'])
def test_many_lines_take_no_more_memory_than_their_texts(monkeypatch, form):
    lines = [form.format(f"a text with the number {k}") for k in range(100_000)]
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(lines)))
    texts = sum(map(sys.getsizeof, lines))
    tracemalloc.start()
    try:
        assert len(standard_input.read("q")) == 100_000
        assert tracemalloc.get_traced_memory()[1] < 2 * texts
    finally:
        tracemalloc.stop()
