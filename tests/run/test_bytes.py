"""A network over bytes reads any bytes, whether they are text or not."""

import io

import pytest

import elman
from elman.errors import DataError

CONTENT = b"the caf\xe9 sat\non a mat\xff\x00.\n\xf0\x9f\x98\x80 ran\n"


@pytest.fixture(scope="module")
def reader(text_file, tiny, tmp_path_factory):
    """A run over bytes."""
    out = tmp_path_factory.mktemp("bytes") / "run"
    return elman.train("language-modeling", text_file, unit="byte", out=out, quiet=True, **tiny)


def test_bytes_that_are_no_text_are_scored_and_shown(reader, tmp_path):
    (tmp_path / "b.bin").write_bytes(CONTENT)
    assert reader.evaluate(tmp_path / "b.bin")["score"]["symbols"] == len(CONTENT) - 1
    rows = reader.predict(tmp_path / "b.bin")
    assert [row["text"] for row in rows] == ["the caf\\xe9 sat", "on a mat\\xff\x00.", "\U0001f600 ran"]
    assert [row["symbols"] for row in rows] == [len(line) for line in CONTENT.splitlines()]
    lines = [line.decode("utf-8", "surrogateescape") for line in CONTENT.splitlines()]
    assert reader.predict(lines) == rows
    (other,) = reader.predict([lines[0].replace("\udce9", "e")])
    assert other["log_probability"] != rows[0]["log_probability"]


def test_a_stream_of_bytes_reads_them_as_they_are(reader):
    stream = io.TextIOWrapper(io.BytesIO(CONTENT), encoding="utf-8", errors="surrogateescape")
    told = list(reader.stream().follow(stream))
    assert [row["symbols"] for row in told] == [len(line) for line in CONTENT.splitlines(keepends=True)]
    assert told[0]["text"] == "the caf\\xe9 sat"


def test_characters_stay_text(run, tmp_path):
    (tmp_path / "b.txt").write_bytes(CONTENT)
    with pytest.raises(DataError, match="is not UTF-8 text"):
        run.predict(tmp_path / "b.txt")
    with pytest.raises(DataError, match="half of a surrogate pair"):
        run.predict(["caf\udce9"])
    stream = io.TextIOWrapper(io.BytesIO(CONTENT), encoding="utf-8", errors="surrogateescape")
    assert next(run.stream().follow(stream))["text"] == "the caf\ufffd sat"
