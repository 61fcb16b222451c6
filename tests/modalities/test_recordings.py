"""Recordings as frames: the equations of the filterbank, masks, steps that padding does not change, what is kept."""

import json
import math

import numpy as np
import pytest
import soundfile
import torch

from elman.data.tables import from_rows
from elman.errors import DataError
from elman.modalities.filterbank import FLOOR, Filterbank, triangles
from elman.modalities.recording_reader import RecordingReader, masked
from elman.modalities.recordings import STEP, Recordings
from elman.modalities.transcripts import Transcripts, repeats

OPTIONS = {"rate": None, "bands": 12, "stride": 2, "longest": 5.0, "masks": 2}


@pytest.fixture
def column(tmp_path):
    """Noises of unequal length and loudness, beside a table that is somewhere else than here."""
    draw = np.random.default_rng(0)
    for k, seconds in enumerate((0.3, 0.01, 1.0, 0.51)):
        soundfile.write(tmp_path / f"{k}.wav", 0.1 * (k + 1) * draw.standard_normal(round(8000 * seconds)), 8000)
    return from_rows([{"a": f"{k}.wav"} for k in range(4)], str(tmp_path / "t.csv")).column("a")


@pytest.mark.parametrize("samples", [100, 200, 279, 280, 1000])
def test_the_filterbank_is_its_equation(samples):
    bank, sound = Filterbank(8000, 10), torch.randn(samples)
    window = torch.hann_window(200).double()
    weights = torch.from_numpy(triangles(8000, bank.size, 10)).double()
    padded = torch.cat([sound, torch.zeros(max(0, 200 - samples))]).double()
    frequencies = torch.arange(bank.size // 2 + 1).double()
    turning = torch.exp(-2j * math.pi * torch.outer(torch.arange(200).double(), frequencies) / bank.size)
    found = bank(sound)
    assert found.shape == (bank.frames(samples), 10)
    for t in range(len(found)):
        cut = padded[80 * t : 80 * t + 200] * window / window.square().sum().sqrt()
        energies = (cut.to(turning.dtype) @ turning).abs().square() @ weights
        assert torch.allclose(found[t].double(), energies.log(), atol=1e-3)


def test_a_tone_is_loudest_in_its_band_and_silence_is_at_the_floor():
    bank = Filterbank(16_000, 40)
    weights = triangles(16_000, bank.size, 40)
    for frequency in (300, 1000, 5000):
        sound = torch.sin(2 * math.pi * frequency * torch.arange(8000) / 16_000)
        band = weights[round(frequency * bank.size / 16_000)].argmax()
        assert (bank(sound).argmax(1) == band).all()
    assert torch.allclose(bank(torch.zeros(800)), torch.tensor(FLOOR).log())


@pytest.mark.parametrize("rate", [8000, 11_025, 16_000, 48_000])
def test_every_band_hears_something(rate):
    for bands in (20, 40, 80):
        assert (triangles(rate, Filterbank(rate, bands).size, bands).sum(0) > 0.5).all()


def test_frames_are_scores_by_what_was_measured_and_come_back_from_json(column):
    fitted = Recordings.fit(column, **OPTIONS)
    again = Recordings.from_dict(json.loads(json.dumps(fitted.to_dict())))
    assert again.to_dict() == fitted.to_dict()
    values = again.encode(column).rows.values / STEP
    assert np.allclose(values.mean(0), 0, atol=0.02)
    assert np.allclose(values.std(0), 1, atol=0.05)


def test_what_is_kept_is_what_was_heard_and_needs_no_files(column, tmp_path):
    fitted = Recordings.fit(column, **OPTIONS)
    encoded, kept = fitted.encode(column), fitted.keep(column, tmp_path / "train.parquet")
    for path in tmp_path.glob("*.wav"):
        path.unlink()
    again = fitted.kept(column, tmp_path / "train.parquet")
    for found in (kept, again):
        assert np.array_equal(found.rows.values, encoded.rows.values)
        assert found.lengths.tolist() == encoded.lengths.tolist() == [14, 1, 49, 25]
    assert isinstance(again.rows.values, np.memmap)


def test_the_rate_is_what_most_have_and_others_are_brought_to_it(tmp_path):
    for k, rate in enumerate((8000, 8000, 22_050)):
        soundfile.write(tmp_path / f"{k}.wav", np.sin(np.arange(rate) * 2 * np.pi * 500 / rate), rate)
    column = from_rows([{"a": str(tmp_path / f"{k}.wav")} for k in range(3)]).column("a")
    fitted = Recordings.fit(column, **OPTIONS)
    assert fitted.layout.rate == 8000
    one, _, other = fitted.encode(column).rows
    assert one.shape == other.shape
    assert Recordings.fit(column.take(np.array([2])), **OPTIONS).layout.rate == 16_000


@pytest.mark.parametrize("stride", [1, 2, 3, 5])
def test_padding_changes_no_step_whatever_lies_beside_a_row(column, stride):
    torch.manual_seed(0)
    fitted = Recordings.fit(column, **OPTIONS | {"stride": stride})
    encoded, reader = fitted.encode(column), fitted.reader(8).eval()
    together = reader(encoded.batch(np.arange(4)))
    for row in range(4):
        alone = reader(encoded.batch(np.array([row])))
        assert len(alone) == encoded.lengths[row]
        assert torch.allclose(together[: len(alone), row], alone[:, 0], atol=1e-5)


def test_masks_cover_shares_of_bands_and_times_of_the_row_itself():
    torch.manual_seed(0)
    lengths = torch.tensor([100, 40] * 50)
    found = masked(torch.ones(100, 100, 20), lengths, 1) == 0
    for row, length in enumerate(lengths):
        times, bands = found[:, row].all(1), found[:, row].all(0)
        assert not times[length:].any()
        assert times.sum() <= 0.05 * length
        assert bands.sum() <= 0.2 * 20
        assert torch.equal(found[:, row], times.unsqueeze(1) | bands)
    assert (found.all(2).sum(0) > 0).float().mean() > 0.6
    assert len({int(row) for row in found.all(2).sum(0)[::2]}) == 6


def test_only_training_is_masked(column):
    fitted = Recordings.fit(column, **OPTIONS)
    batch, reader = fitted.encode(column).batch(np.arange(4)), fitted.reader(8)
    assert not torch.equal(reader(batch), reader(batch))
    assert torch.equal(reader.eval()(batch), reader(batch))
    plain = RecordingReader(12, 8, 2, 0)
    assert torch.equal(plain(batch), plain(batch))


def test_bad_rows_are_named(column, tmp_path):
    fitted = Recordings.fit(column, **OPTIONS)
    (tmp_path / "b.wav").write_text("nothing")
    soundfile.write(tmp_path / "long.wav", np.zeros(8000 * 6), 8000)
    for value, message in (
        (None, "row 2, column 'a' is empty"),
        ("x.txt", "row 2, column 'a' is 'x.txt', which does not end as recordings do: .wav"),
        ("none.wav", "row 2, column 'a' names 'none.wav', which cannot be read: no such file"),
        ("b.wav", "row 2, column 'a' names 'b.wav', which is no recording that can be read"),
        (
            "long.wav",
            "row 2, column 'a' names 'long.wav', which lasts 6.0 s, more than 5; cut it, or train a new network with",
        ),
    ):
        bad = from_rows([{"a": "0.wav"}, {"a": value}, {"a": "1.wav"}], column.source).column("a")
        for read in (fitted.encode, lambda bad: Recordings.fit(bad, **OPTIONS)):
            with pytest.raises(DataError) as error:
                read(bad)
            assert message in str(error.value)


def test_files_and_folders_stand_for_recordings(column, tmp_path):
    fitted = Recordings.fit(column, **OPTIONS)
    assert [name[-5:] for name in fitted.found_at(tmp_path)] == [f"{k}.wav" for k in range(4)]
    assert fitted.found_at(tmp_path / "0.wav") == [str(tmp_path / "0.wav")]
    assert fitted.found_at(tmp_path / "t.csv") is None
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no recordings"):
        fitted.found_at(tmp_path / "empty")


@pytest.mark.parametrize("unit", ["char", "byte", "word", "subword"])
def test_transcripts_come_back_from_their_symbols(unit):
    texts = ["three two", "seven  seven", "two three"]
    column = from_rows([{"a": text} for text in texts]).column("a")
    fitted = Transcripts.fit(column, unit, 300, 4)
    again = Transcripts.from_dict(json.loads(json.dumps(fitted.to_dict())))
    assert [again.text(row.tolist()) for row in again.encode(column)] == [" ".join(text.split()) for text in texts]
    assert again.blank == again.unit.size


def test_symbols_that_follow_themselves_are_counted_within_their_text():
    column = from_rows([{"a": text} for text in ("aab", "bbb", "b", "ab")]).column("a")
    assert repeats(Transcripts.fit(column, "char", 300, 1).encode(column)).tolist() == [1, 2, 0, 0]
