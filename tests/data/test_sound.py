"""Recordings on disk: read as they are, and said by name where they cannot be."""

import sys

import numpy as np
import polars as pl
import pytest
import soundfile

from elman.data import sound
from elman.data.tables import from_rows
from elman.errors import DataError


def tone(seconds, rate, frequency=440.0):
    return (0.5 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


@pytest.mark.parametrize("suffix", sound.SUFFIXES)
def test_every_format_is_read(tmp_path, suffix):
    soundfile.write(tmp_path / f"a{suffix}", tone(0.5, 8000), 8000)
    found = sound.read(tmp_path / f"a{suffix}", 8000)
    assert found.dtype == np.float32
    assert abs(len(found) / 8000 - 0.5) < 0.1
    assert 0.4 < np.abs(found[1000:3000]).max() < 0.6


def test_channels_are_mixed_down(tmp_path):
    soundfile.write(
        tmp_path / "a.wav", np.stack([tone(0.1, 8000), -tone(0.1, 8000), 0.5 + 0 * tone(0.1, 8000)], 1), 8000
    )
    assert np.allclose(sound.read(tmp_path / "a.wav", 8000), 0.5 / 3, atol=1e-4)


@pytest.mark.parametrize("rate", [8000, 11_025, 44_100])
def test_another_rate_is_the_same_sound(tmp_path, rate):
    soundfile.write(tmp_path / "a.wav", tone(0.5, rate), rate)
    found = sound.read(tmp_path / "a.wav", 16_000)
    assert len(found) == 8000
    assert np.allclose(found[500:-500], tone(0.5, 16_000)[500:-500], atol=0.01)
    assert sound.header(tmp_path / "a.wav") == sound.Header(rate, round(0.5 * rate))


def test_a_tone_that_the_lower_rate_cannot_hold_is_gone(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(0.5, 16_000, 6000.0), 16_000)
    assert np.abs(sound.read(tmp_path / "a.wav", 8000)[200:-200]).max() < 0.01


def test_what_cannot_be_heard_is_said(tmp_path):
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.wav").write_text("no sound at all")
    (tmp_path / "folder.wav").mkdir()
    soundfile.write(tmp_path / "short.wav", np.empty(0), 8000)
    soundfile.write(tmp_path / "nan.wav", np.array([0.1, np.nan]), 8000, subtype="FLOAT")
    for name, message in (
        ("none.wav", "cannot be read: no such file"),
        ("empty.wav", "is no recording that can be read"),
        ("text.wav", "is no recording that can be read"),
        ("folder.wav", "is a folder"),
        ("short.wav", "holds no sound"),
        ("nan.wav", "holds samples that are no finite numbers"),
    ):
        with pytest.raises(DataError, match=f"^which {message}"):
            sound.read(tmp_path / name, 8000)


@pytest.mark.parametrize(("library", "rate"), [("soundfile", 8000), ("scipy.signal", 16_000)])
def test_a_library_that_is_absent_is_named_with_the_way_to_install_it(tmp_path, monkeypatch, library, rate):
    soundfile.write(tmp_path / "a.wav", tone(0.1, 8000), 8000)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(DataError, match=r"needs .*: pip install 'elman\[audio\]'"):
        sound.read(tmp_path / "a.wav", rate)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["a.wav", "b/c.FLAC ", "d.mp3"], "recordings"),
        (["a.wav", None, "b.ogg"], "recordings"),
        (["a.wav", "b.ogg", "a typo.wvv"], "recordings"),
        (["he played a.wav", "nothing", "else"], "text"),
        (["wav", "mp3"], "text"),
        ([None, None], "text"),
    ],
)
def test_a_column_of_names_of_recordings_is_one_of_recordings(values, kind):
    column = from_rows([{"a": "x"}]).column("a")
    assert type(column)(column.source, "a", pl.Series(values, dtype=pl.String), column.rows).kind == kind
