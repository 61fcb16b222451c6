"""A folder of files by label is a table; what is no such folder is told."""

from pathlib import Path

import pytest

from elman.data import folders
from elman.errors import DataError


def fill(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name.upper())
    return folder


def test_files_are_named_and_texts_are_read(tmp_path):
    images = fill(tmp_path / "images", "b/2.png", "b/1.PNG", "a/3.jpg", "a/.hidden", "readme.md")
    table = folders.read(images)
    assert table.frame.to_dict(as_series=False) == {
        "path": ["images/a/3.jpg", "images/b/1.PNG", "images/b/2.png"], "label": ["a", "b", "b"],
    }  # fmt: skip
    column = table.column("path")
    assert column.kind == "images"
    assert column.path(column.values[0]).read_text() == "A/3.JPG"
    texts = folders.read(fill(tmp_path / "texts", "pos/1.txt", "neg/1.txt"))
    assert texts.frame.rows() == [("NEG/1.TXT", "neg"), ("POS/1.TXT", "pos")]


def test_a_folder_is_found_from_inside(tmp_path, monkeypatch):
    monkeypatch.chdir(fill(tmp_path, "a/1.wav", "b/2.wav"))
    column = folders.read(Path()).column("path")
    assert column.path(column.values[1]).read_text() == "B/2.WAV"


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], "is a folder without folders of files"),
        (["1.png"], "is a folder without folders of files"),
        (["a/1.xyz"], "1.xyz is none of the files that are read from folders"),
        (["a/1.png", "b/1.wav"], "1.wav is not one of images, as .*1.png is"),
    ],
)
def test_another_folder_is_told(tmp_path, names, said):
    with pytest.raises(DataError, match=said):
        folders.read(fill(tmp_path, *names))


def test_the_fingerprint_is_that_of_names_and_bytes(tmp_path):
    one, same, other, named = (tmp_path / name for name in "abcd")
    for folder, names in ((one, ["x/1.txt"]), (same, ["x/1.txt"]), (named, ["y/1.txt"]), (other, ["x/1.txt"])):
        fill(folder, *names)
    (other / "x" / "1.txt").write_text("changed")
    found = [folders.fingerprint(folder) for folder in (one, same, other, named)]
    assert found[0] == found[1]
    assert len(set(found)) == 3


def test_an_empty_text_is_named(tmp_path):
    (fill(tmp_path, "a/1.txt", "b/2.txt") / "b" / "2.txt").write_text(" \n")
    with pytest.raises(DataError, match=r"b.2\.txt is empty"):
        folders.read(tmp_path)


def test_a_place_that_is_not_there_is_told(tmp_path):
    with pytest.raises(DataError, match="digits: no such file or directory"):
        folders.read(tmp_path / "digits")
