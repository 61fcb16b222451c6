"""Text sources: every character arrives once, whatever the blocks; bad files are named with the place."""

import gzip
import lzma

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elman.data import text
from elman.data.text import TextSource, lines
from elman.errors import DataError

NO_ZERO = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=200)


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(text, "BLOCK", 7)


@given(content=NO_ZERO, block=st.integers(4, 11))
def test_blocks_add_up_to_the_text(tmp_path_factory, content, block):
    path = tmp_path_factory.mktemp("text") / "a.txt"
    path.write_bytes(content.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, "BLOCK", block)
        assert "".join(TextSource(path).blocks()) == content.removeprefix("\ufeff")


@given(content=NO_ZERO, wanted=st.integers(0, 300), block=st.integers(4, 11))
def test_a_split_loses_nothing_and_divides_no_character(tmp_path_factory, content, wanted, block):
    path = tmp_path_factory.mktemp("text") / "a.txt"
    path.write_bytes(content.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, "BLOCK", block)
        parts = TextSource(path).split(wanted)
        joined = "".join("".join(part.blocks()) for part in parts)
        assert joined == content.removeprefix("\ufeff")
        assert sum(part.size for part in parts) == len(content.encode())


def test_a_split_is_at_a_line_end(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("one two\n" * 200)
    first, second = TextSource(path).split(802)
    assert "".join(first.blocks()) == "one two\n" * 101
    assert "".join(second.blocks()) == "one two\n" * 99


def test_a_text_without_line_ends_is_split_all_the_same(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("one two " * 200)
    first, second = TextSource(path).split(800)
    assert (first.size, second.size) == (800, 800)


@pytest.mark.parametrize(("suffix", "module"), [(".gz", gzip), (".xz", lzma)])
def test_compressed_texts_read_as_their_content(tmp_path, suffix, module):
    path = tmp_path / f"a.txt{suffix}"
    path.write_bytes(module.compress(b"one\ntwo\n"))
    assert "".join(TextSource(path).blocks()) == "one\ntwo\n"
    assert "".join(TextSource(path, start=4).blocks()) == "two\n"


def test_line_ends_are_kept(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\r\ntwo\r\n")
    assert "".join(TextSource(path).blocks()) == "one\r\ntwo\r\n"


@pytest.mark.usefixtures("small_blocks")
def test_bytes_that_are_not_text_are_named_with_line_and_offset(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("eins\nzwei\nfünf\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"a\.txt is not UTF-8 text \(byte 0xfc at offset 11, line 3\)"):
        list(TextSource(path).blocks())


@pytest.mark.usefixtures("small_blocks")
def test_a_binary_file_is_called_one(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc\nabcdefghi\nab\0cd")
    with pytest.raises(DataError, match=r"a\.bin is a binary file \(zero byte in line 3\).*--unit byte"):
        list(TextSource(path).blocks())


def test_missing_files_and_folders_are_named(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*nothing\.txt: no such file or directory"):
        _ = TextSource(tmp_path / "nothing.txt").size
    with pytest.raises(DataError, match="is a directory"):
        _ = TextSource(tmp_path).size


def test_a_broken_archive_is_named(tmp_path):
    path = tmp_path / "a.xz"
    path.write_bytes(b"this is no archive")
    with pytest.raises(DataError, match=r"cannot read .*a\.xz"):
        _ = TextSource(path).size


def test_lines_end_where_those_of_a_file_do(tmp_path):
    (tmp_path / "a.txt").write_bytes("a\fb\r\nc\u2028d\n\ne\rf".encode())
    assert lines(tmp_path / "a.txt") == ["a\fb", "c\u2028d", "", "e", "f"]
