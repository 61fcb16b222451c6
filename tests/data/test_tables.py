"""Tables: the same rows from every format, back again, and every flaw told with file, row and column."""

import datetime as dt
import tracemalloc
from pathlib import Path

import polars as pl
import pytest

from elman.data import flaws, tables
from elman.errors import DataError, RunError, UsageError

ROWS = [{"text": "a, b\n'c\"", "label": "x"}, {"text": "grün", "label": "y"}]


@pytest.mark.parametrize("ending", tables.READERS)
def test_rows_come_back_from_every_format(tmp_path, ending):
    path = tables.write(tmp_path / f"t{ending}", ROWS)
    table = tables.read(path)
    assert table.frame.to_dicts() == ROWS
    assert [column.kind for column in table.columns()] == ["text", "text"]


@pytest.mark.parametrize(
    ("value", "measures"),
    [([1.5], True), ([[1, 2]], True), ([1, 2], False), ([True, False], False), (["a"], False), (1.5, False)],
)
def test_numbers_that_are_not_whole_or_are_several_for_each_step_are_measurements(value, measures):
    assert tables.from_rows([{"a": value}]).column("a").measures == measures


def test_what_holds_nothing_is_called_that():
    table = tables.from_rows([{"a": None, "b": [], "c": "x"}])
    assert table.described == "'a' (nothing), 'b' (empty lists), 'c' (texts)"


def test_lists_keep_their_form_where_the_format_has_one_and_become_texts_elsewhere(tmp_path):
    rows = [{"tokens": ["a", "b"], "points": [[1.0, 2.0]]}]
    for ending, kinds in (
        (".jsonl", ["texts", "numbers"]),
        (".parquet", ["texts", "numbers"]),
        (".csv", ["text", "numbers"]),
    ):
        table = tables.read(tables.write(tmp_path / f"t{ending}", rows))
        assert [column.kind for column in table.columns()] == kinds
    assert table.frame["tokens"].to_list() == ["a b"]
    assert table.frame["points"].to_list() == [[[1.0, 2.0]]]  # a list of lists is written as JSON


def test_semicolons_separate_where_no_comma_does_and_then_numbers_may_have_decimal_commas(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('text;x;y;z\n"a; b";1,5;1,5;1\n"c, d";-,25e3;x;2\n;;;\n"e";1;1;1\n', encoding="utf-8")
    assert tables.read(path).frame.to_dicts() == [
        {"text": "a; b", "x": "1.5", "y": "1,5", "z": "1"},
        {"text": "c, d", "x": "-.25e3", "y": "x", "z": "2"},
        {"text": None, "x": None, "y": None, "z": None},
        {"text": "e", "x": "1", "y": "1", "z": "1"},
    ]
    path.write_text('"a, b";c\n1,5;3\n', encoding="utf-8")
    assert tables.read(path).frame.to_dicts() == [{"a, b": "1.5", "c": "3"}]
    path.write_text("a (b, c);d;e\nx, y;1,5;3\n", encoding="utf-8")
    assert tables.read(path).frame.to_dicts() == [{"a (b, c)": "x, y", "d": "1.5", "e": "3"}]
    path.write_text("a,b;c\n1,2;3\n", encoding="utf-8")
    assert tables.read(path).names == ["a", "b;c"]


def test_points_stay_where_they_can_stand_between_no_thousands(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a;b;c\n0.125;1.5;2,5\n1.125;2.125;3,5\n", encoding="utf-8")
    assert tables.read(path).frame["a"].to_list() == ["0.125", "1.125"]
    path.write_text("a;b\n1.125;x\n", encoding="utf-8")
    assert tables.read(path).frame["a"].to_list() == ["1.125"]


def test_a_csv_may_have_lists_of_numbers_as_json_writes_them(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('x,y,z\n"[1, 2.5]","[[1,2],[3,4]]",[laughs]\n[],"[[-5e-1,0]]",[1]\n', encoding="utf-8")
    table = tables.read(path)
    assert [column.kind for column in table.columns()] == ["numbers", "numbers", "text"]
    assert table.frame["x"].to_list() == [[1.0, 2.5], []]
    assert table.frame["y"].to_list() == [[[1.0, 2.0], [3.0, 4.0]], [[-0.5, 0.0]]]


def test_a_csv_may_have_lists_of_texts_and_booleans_as_json_writes_them(tmp_path):
    columns = {"turns": ["a b", "c"], "on": [True, False], "sets": [["x"], []]}
    path = tmp_path / "t.csv"
    tables.write(path, tables.readable(path, pl.DataFrame({name: [row, []] for name, row in columns.items()})))
    assert tables.read(path).frame.to_dict(as_series=False) == {name: [row, []] for name, row in columns.items()}
    path.write_text(
        'a,b,c,d\n"[""x""]",[laughs],"[""x"", 1]","[""\\ud800""]"\n[[[]]],[sighs],[],[]\n', encoding="utf-8"
    )
    assert [column.kind for column in tables.read(path).columns()] == ["text"] * 4


def test_texts_with_spaces_in_a_list_stay_apart_in_a_csv(tmp_path):
    path = tables.write(tmp_path / "t.csv", [{"a": ["x y", "z"], "b": ["x", "z"], "c": [0.5, 1.0]}])
    assert tables.read(path).frame.to_dicts() == [{"a": ["x y", "z"], "b": "x z", "c": "0.5 1.0"}]


def test_rows_may_have_whole_numbers_among_others_and_paths():
    rows = [{"x": [[1, 2, 0.5], [1, None, 3]], "at": Path("a")}]
    assert tables.from_rows(rows).frame.to_dicts() == [{"x": [[1.0, 2.0, 0.5], [1.0, None, 3.0]], "at": "a"}]
    for wrong in (["a", 1], [[1, 2], [1, "a"]], [[1], 2], ["a", {"b": 1}]):
        with pytest.raises(DataError, match="row 2, column 'x' holds a list of different things; mend or remove it"):
            tables.from_rows([{"x": []}, {"x": wrong}])
    with pytest.raises(
        DataError, match="row 3, column 'x' holds a list of texts, where the rows before hold a text; mend"
    ):
        tables.from_rows([{"x": None}, {"x": "a"}, {"x": ["b"]}])


FLAWS = [
    ("t.csv", 'a\n[1]\n"[1, nan]"\n', "t.csv, row 2, column 'a' holds a list that cannot be read (Expecting value"),
    ("t.csv", 'a\n"[1, NaN]"\n', "t.csv, row 1, column 'a' holds a list that cannot be read (it has no number NaN)"),
    ("t.csv", "", "t.csv is empty"),
    ("t.csv", "text,label\n", "t.csv has no rows"),
    ("t.csv", "a,b\n1,2\n3,4,5\n", "t.csv, row 2 has 3 fields, the header 2"),
    ("t.csv", "a,b\n1,2\n\n3\n", "t.csv, row 3 has 1 field, the header 2"),
    ("t.csv", 'a,b\n"x\n,""y""",1\n5" x,2\n6" y,3\n', "t.csv, row 2 has a quote inside of a field, or one that is not"),
    ("t.csv", 'a,b\nx,1\n"y" z,2\n', "t.csv, row 2 has a quote inside of a field"),
    ("t.csv", "a;b\n1;2\n3;4;5\n", "t.csv, row 2 has 3 fields, the header 2"),
    (
        "t.csv",
        "sep=;\na;b\n1;2\n",
        "t.csv begins with a line for spreadsheets, 'sep=', in the header's place; remove it",
    ),
    (
        "t.csv",
        "load;heat\n\n980;2,5\n1.080;3,0\n",
        "t.csv, row 3, column 'load' is '1.080', with a point in a table whose decimals have commas; write 1080,",
    ),
    ("t.csv", "at;cost\na;980\nb;1.080,5\n", "t.csv, row 2, column 'cost' is '1.080,5', with a point in a table whose"),
    ("t.tsv", "a\ta\n1\t2\n", "t.tsv has two columns named 'a'; rename one"),
    (
        "t.csv",
        "fine,pos\nbad,neg\n" + "good,pos\nvile,neg\n" * 5,
        "t.csv has no header: its first line, with 'pos', is a row",
    ),
    (
        "t.csv",
        "2026-01-01,0.5\n" + "2026-01-02,0.7\n" * 12,
        "t.csv has no header: its first line, with '2026-01-01', is",
    ),
    ("t.tsv", "7\t7\t9\n" + "7\t3\t1\n" * 12, "t.tsv has no header: its first line, with '7' and '7', is a row"),
    ("t.jsonl", '{"a": 1.0}\n{"a": Infinity}\n', "t.jsonl, row 2 is no JSON (it has no number Infinity)"),
    ("t.csv", b"PK\x03\x04\nx,\xfc\n", "t.csv is a zip archive or an office document, not plain text"),
    ("t.csv", b"a,b\nx,\xfc\n", "t.csv is not UTF-8 text (byte 0xfc in line 2)"),
    ("t.jsonl", '{"a": 1}\n{"a": \n', "t.jsonl, row 2 is no JSON"),
    ("t.jsonl", '{"a": 1}\n[2]\n', "t.jsonl, row 2 is no JSON object"),
    (
        "t.jsonl",
        '{"a": ["x"]}\n\n{"a": {"b": 1}}\n',
        "t.jsonl, row 2, column 'a' holds an object, where the rows before hold a list of texts; mend or remove it",
    ),
    (
        "t.jsonl",
        '{"p": [[1, 2]]}\n{"p": "abc"}\n',
        "t.jsonl, row 2, column 'p' holds a text, where the rows before hold a list of lists; mend or remove it",
    ),
    (
        "t.jsonl",
        '{"p": [1]}\n{"p": [[1]]}\n',
        "t.jsonl, row 2, column 'p' holds a list of lists, where the rows before",
    ),
    (
        "t.jsonl",
        '{"p": null}\n{"p": ["a"]}\n{"p": "b"}\n',
        "t.jsonl, row 3, column 'p' holds a text, where the rows before hold a list of texts; mend or remove it",
    ),
    (
        "t.jsonl",
        '{"p": "b"}\n{"p": []}\n',
        "t.jsonl, row 2, column 'p' holds an empty list, where the rows before hold a text; mend or remove it",
    ),
    ("t.jsonl", "\ufeff{}", "t.jsonl begins with a byte-order mark"),
    ("t.parquet", "PAR1", "cannot read t.parquet as parquet"),
]


@pytest.mark.parametrize(("name", "content", "message"), FLAWS)
def test_a_flaw_is_told_with_its_row(tmp_path, monkeypatch, name, content, message):
    monkeypatch.chdir(tmp_path)
    path = tables.Path(name)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError) as told:
        tables.read(path)
    assert str(told.value).startswith(message)
    assert "\n" not in str(told.value)


def test_empty_lists_are_lists_of_any_type(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text('{"p": []}\n{"p": ["a"]}\n{"p": []}\n')
    assert tables.read(path).frame["p"].to_list() == [[], ["a"], []]


def test_places_that_are_no_tables(tmp_path):
    with pytest.raises(UsageError, match=r"a\.xls is no table; its name should end in one of \.csv"):
        tables.read(tables.Path("a.xls"))
    for name, remedy in (("a.csv.gz", "unpack it"), ("a.json", "write each of its objects on a line"), ("a.txt", "")):
        with pytest.raises(UsageError, match=rf"in one of {tables.ENDINGS}{remedy and ': ' + remedy}"):
            tables.read(tables.Path(name))
    with pytest.raises(DataError, match="no such file"):
        tables.read(tmp_path / "a.csv")
    with pytest.raises(DataError, match="no such file"):
        tables.read(tmp_path / "folder")
    (tmp_path / "b.csv").mkdir()
    with pytest.raises(DataError, match="is a directory"):
        tables.read(tmp_path / "b.csv")


def test_a_missing_column_is_named_with_what_there_is():
    table = tables.from_rows(ROWS, "t")
    with pytest.raises(DataError, match="t has no column 'txt'; did you mean 'text'\\?; it has 'text', 'label'"):
        table.column("txt")


def test_a_part_of_a_column_knows_the_rows_of_its_file():
    column = tables.from_rows([{"a": v} for v in ("x", "y", None, "z")], "t").column("a")
    with pytest.raises(DataError, match="t, row 3, column 'a' is empty"):
        column.take(pl.Series([1, 2]).to_numpy()).check_filled()


def test_a_list_may_begin_with_a_whole_number(tmp_path):
    rows = [{"a": [[0, 0.5], [1, None]], "b": [1, 2]}, {"a": [[2, 3]], "b": [3]}]
    table = tables.from_rows(rows)
    assert table.column("a").values.to_list() == [[[0.0, 0.5], [1.0, None]], [[2.0, 3.0]]]
    assert table.column("b").values.to_list() == [[1, 2], [3]]
    assert tables.read(tables.write(tmp_path / "t.jsonl", rows)).frame.equals(table.frame)
    with pytest.raises(DataError, match="row 1, column 'a' holds a list of different things"):
        tables.from_rows([{"a": [[0, 0.5], "x"]}])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize(
    ("names", "row"),
    [
        ("0,1,2,label", "2,1,0,a"),  # as pandas names columns that nobody has named
        ("place,2001,2002", "a,2,1"),
        ("0.9,0.5,0.1", "3,2,1"),
        ("day,2026-01-01,2026-01-02", "2026-02-03,1,2"),
        ("8,7,x,9", "a,b,1,c"),
        ("x,y", '"[1, 2]","[3]"'),
        ("text,label", "text,label"),  # of tables that were joined, in which only the header tells
    ],
)
def test_a_header_may_hold_numbers_in_order_and_dates(tmp_path, names, row):
    (tmp_path / "t.csv").write_text(f"{names}\n" + f"{row}\n" * 12)
    assert tables.read(tmp_path / "t.csv").frame.columns == names.split(",")


def test_a_word_may_be_called_word(tmp_path):
    (tmp_path / "t.csv").write_text("word,tag\nword,N\n" + "".join(f"w{i},V\n" for i in range(12)))
    assert tables.read(tmp_path / "t.csv").frame.columns == ["word", "tag"]


@pytest.mark.parametrize("ending", tables.WRITERS)
def test_a_full_disk_is_told(ending, tmp_path, monkeypatch):
    writer = tables.WRITERS[ending]
    monkeypatch.setitem(tables.WRITERS, ending, lambda frame, path: writer(frame, Path("/dev/full")))
    with pytest.raises(RunError, match=r"cannot write .*: no space left on device"):
        tables.write(tmp_path / f"t{ending}", ROWS)
    assert list(tmp_path.iterdir()) == []


def test_what_a_wide_table_holds_is_found_without_listing_its_columns_for_each(monkeypatch):
    asked, names = [], pl.DataFrame.columns
    wide = tables.Table("wide.csv", pl.DataFrame({f"c{k}": ["1.5", "a. b"] for k in range(300)}))
    monkeypatch.setattr(pl.DataFrame, "columns", property(lambda self: asked.append(1) or names.fget(self)))
    assert {column.kind for column in wide.columns()} == {"text"}
    assert [wide.column(f"c{k}").name for k in range(300)] == wide.names
    assert len(asked) < 5


def test_json_lines_that_are_looked_at_once_more_are_not_all_held(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text('{"text": "[a] in brackets, as a list begins"}\n' * 20_000)
    frame = tables.read(path).frame
    tracemalloc.start()
    flaws.check(path, frame)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < path.stat().st_size / 2


def test_of_many_columns_the_first_are_listed():
    table = tables.from_rows([{f"c{k}": k for k in range(40)}])
    with pytest.raises(DataError, match=r"has no column 'none'; it has 'c0', .*'c11' and 28 more$"):
        table.column("none")


def test_a_column_of_dates_holds_times():
    table = tables.from_rows([{"day": dt.date(2026, 5, 11)}])
    assert (table.column("day").kind, table.described) == ("times", "'day' (times)")
