"""What people's files are like: other encodings, endings in capitals, blank ends, names that are no UTF-8."""

import gzip
import json
import os
import shlex
import shutil

import pytest

from elman import load
from elman.cli.listing import _said
from elman.data import tables
from elman.data.text import TextSource
from elman.errors import DataError, RunError, UsageError
from elman.files import write_json
from elman.generation.sample import Sampling
from elman.tasks.classification import Classification

ROWS = "text,label\ngood thing,pos\nbad thing,neg\n"


def test_a_table_in_another_encoding_is_told_with_a_command_that_converts_it(tmp_path):
    path = tmp_path / "t.csv"
    for encoding in ("utf-16", "latin-1"):
        path.write_bytes(ROWS.replace("bad", "bäd").encode(encoding))
        with pytest.raises(DataError, match=r"t.csv is not UTF-8 text .*: iconv -f ENCODING -t UTF-8"):
            tables.read(path)


def test_endings_in_capitals_are_endings(tmp_path):
    (tmp_path / "T.CSV").write_text(ROWS)
    assert len(tables.read(tmp_path / "T.CSV")) == 2
    tables.write(tmp_path / "O.TSV", [{"a": 1}])
    assert (tmp_path / "O.TSV").read_text() == "a\n1\n"


@pytest.mark.parametrize("end", ["\n", "\n\n\n", ",\n,\n"])
def test_rows_at_the_end_that_hold_nothing_are_no_rows(tmp_path, end):
    (tmp_path / "t.csv").write_text(ROWS + end)
    assert tables.read(tmp_path / "t.csv").frame["label"].to_list() == ["pos", "neg"]


def test_a_csv_with_tabs_and_a_name_that_is_not_utf_8_are_told(tmp_path):
    (tmp_path / "t.csv").write_text(ROWS.replace(",", "\t"))
    with pytest.raises(DataError, match=r"t.csv has tabs between its fields, as a .tsv has; rename it to t.tsv"):
        tables.read(tmp_path / "t.csv")
    name = tmp_path / os.fsdecode(b"caf\xe9.csv")
    name.write_text(ROWS)
    with pytest.raises(DataError, match="its name is not UTF-8; rename it"):
        tables.read(name)


def test_json_holds_names_that_are_not_utf_8(tmp_path):
    name = os.fsdecode(b"caf\xe9.txt")
    assert json.loads(write_json(tmp_path / "a.json", {"path": name}).read_text(encoding="utf-8")) == {"path": name}


def test_where_predictions_go_is_checked_before_they_are_made(tmp_path):
    with pytest.raises(RunError, match=r"cannot write .*a.csv: there is no folder .*no; make it first"):
        tables.check_writable(tmp_path / "no" / "a.csv")
    (tmp_path / "b.csv").mkdir()
    with pytest.raises(RunError, match=r"cannot write .*b.csv: is a directory"):
        tables.check_writable(tmp_path / "b.csv")


@pytest.mark.parametrize(
    "given", [{"seed": 1 << 63}, {"smoothing": 1.0}, {"minutes": float("inf")}, {"rate": float("inf")}]
)
def test_numbers_that_torch_would_refuse_are_out_of_range(given):
    with pytest.raises(UsageError, match=f"--{next(iter(given))} "):
        Classification.Options.make(given)


def test_seeds_of_draws_have_63_bits():
    with pytest.raises(UsageError, match=r"--seed .* is out of range"):
        Sampling(seed=1 << 63)


@pytest.mark.parametrize("content", [b"\xff", b"data", b"hidden"])
def test_a_damaged_description_is_told(run, tmp_path, content):
    path = shutil.copytree(run.path, tmp_path / "copy") / "run.json"
    described = json.loads(path.read_text(encoding="utf-8"))
    changed = {b"data": described | {"data": None}, b"hidden": described | {"options": {"hidden": "x", "steps": 1}}}
    path.write_bytes(json.dumps(changed[content]).encode() if content in changed else content)
    with pytest.raises(RunError, match=r"run\.json is damaged"):
        load(path.parent).evaluate()


def test_the_next_step_is_a_command_whatever_the_folder_is_called(run, tmp_path):
    folder = shutil.copytree(run.path, tmp_path / "my run's")
    command = load(folder).next_step.split(": ", 1)[1].split(" (")[0]
    assert shlex.split(command) == ["elman", "generate", str(folder)]


def test_capitals_of_a_compressed_text(tmp_path):
    (tmp_path / "A.TXT.GZ").write_bytes(gzip.compress(b"a text"))
    assert "".join(TextSource(tmp_path / "A.TXT.GZ").blocks()) == "a text"


def test_one_thread_is_a_number():
    assert [_said(value) for value in (1, 0, True, False, None)] == ["1", "0", "yes", "no", "none"]
