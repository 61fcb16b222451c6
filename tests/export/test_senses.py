"""What exported models and their examples see and hear is what the run does; nothing here needs ONNX."""

import builtins
import copy
import symtable
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import elman
from elman.data import tables, videos
from elman.export import scripts
from elman.export.export import description, exporter_of
from elman.export.feeds.recordings import Spectrum, settled
from elman.export.scripts.hearing import search, stream
from elman.export.scripts.samples import sound
from elman.generation.listening import SpeechStream
from elman.generation.prefix_beam import prefix_beam_search
from elman.modalities.filterbank import Filterbank
from elman.modalities.images import Images
from elman.modalities.recordings import STEP

EXAMPLES = ("answer", "look", "listen", "follow", "transcribe", "write", "caption", "forecast", "read_on")


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_a_file_by_itself(name):
    text = scripts.source(scripts.find(name))
    assert "elman.export" not in text
    space = {"__name__": "example", "__file__": "example.py"}
    exec(compile(text, "example.py", "exec"), space)
    waiting = list(symtable.symtable(text, "example.py", "exec").get_children())
    while waiting:
        table = waiting.pop()
        waiting += table.get_children()
        names = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_global()}
        assert names <= space.keys() | vars(builtins).keys()


@pytest.mark.parametrize(("rate", "bands"), [(8000, 40), (16_000, 9), (11_025, 64)])
def test_a_spectrum_by_convolutions_is_the_filter_bank(rate, bands):
    bank, draw = Filterbank(rate, bands), torch.Generator().manual_seed(rate)
    spectrum = Spectrum(bank)
    for count in (1, bank.window - 1, bank.window, bank.window + bank.hop - 1, bank.window + bank.hop, rate // 2):
        time = torch.arange(count)
        noise = torch.randn(count, generator=draw)
        for samples in (0.3 * noise, 1e-4 * noise, (440 * 2 * torch.pi / rate * time).sin() + 1e-3 * noise, 0 * noise):
            expected = bank(samples)
            found = spectrum(samples.unsqueeze(0))[0, : len(expected)]
            assert torch.allclose(found, expected, atol=1e-3, rtol=1e-4)


def test_bands_without_energy_beside_loud_ones_are_alike_within_the_run_s_rounding():
    bank, draw = Filterbank(16_000, 40), torch.Generator().manual_seed(0)
    low = torch.fft.rfft(torch.randn(32_000, generator=draw))
    low[len(low) // 2 :] = 0  # as of a recording of 8 kHz
    samples = 0.3 * torch.fft.irfft(low)
    expected = bank(samples)
    found = Spectrum(bank)(samples.unsqueeze(0))[0, : len(expected)]
    assert (found - expected).abs().max() > 1e-3
    assert torch.equal(settled(found, expected), expected)
    assert not torch.equal(settled(expected + 0.3 / STEP, expected), expected)


@pytest.mark.parametrize("seed", range(12))
def test_the_example_finds_the_text_that_the_run_finds(seed):
    draw = torch.Generator().manual_seed(seed)
    said = (2.5 * torch.randn(11, 1, 5, generator=draw)).log_softmax(-1)
    for beams in (1, 2, 4, 30):
        (expected,) = prefix_beam_search(said, torch.tensor([11]), beams)
        assert search(said[:, 0].double().numpy(), beams) == expected.tolist()


class Session:
    """A model in the place of ONNX Runtime's session."""

    def __init__(self, model):
        self.model = model

    def run(self, names, feed):
        found = self.model.module(*(torch.from_numpy(feed[port.name]) for port in self.model.inputs))
        return [tensor.numpy() for tensor in found]


@torch.no_grad()
def test_the_example_hears_a_stream_as_the_run_does(make_run):
    exporter = exporter_of(make_run("streamed speech"))
    models = {model.name: Session(model) for model in exporter.models()}
    described, output = description(exporter, exporter.models()), exporter.prepared.outputs["text"]
    draw, texts = np.random.default_rng(0), set()
    for count in (1, 150, 199, 200, 279, 280, 1111, 5000, 9000):
        samples = draw.standard_normal(count).astype(np.float32) * draw.uniform(0.01, 1)
        listening = SpeechStream(exporter.network, exporter.prepared.input, output)
        expected = listening.feed(samples) + listening.finish()
        for pieces in ([samples], np.array_split(samples, 7)):
            heard = list(stream(described, models["frames"], models["step"], pieces))
            assert output.unit.decode(heard) == expected
        texts.add(expected)
    assert len(texts) > 1


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_wav_file_sounds_alike_with_soundfile_and_without(width, channels, tmp_path, monkeypatch, write_wav):
    pytest.importorskip("soundfile")
    content = np.random.default_rng(width).integers(0, 256, 300 * width * channels, np.uint8).tobytes()
    write_wav(tmp_path / "a.wav", content, rate=11_025, channels=channels, width=width)
    rate, expected = sound(str(tmp_path / "a.wav"))
    monkeypatch.setitem(sys.modules, "soundfile", None)
    own, found = sound(str(tmp_path / "a.wav"))
    assert (own, len(found), found.dtype) == (rate, 300, np.float32)
    assert np.array_equal(found, expected)


def test_a_recording_at_another_rate_is_brought_to_the_run_s(tmp_path, write_wav):
    pytest.importorskip("scipy")
    from elman.data import sound as files
    from elman.export.scripts.samples import samples

    write_wav(tmp_path / "a.wav", np.random.default_rng(0).integers(0, 256, 3000, np.uint8).tobytes(), rate=11_025)
    expected = files.read(tmp_path / "a.wav", 8000)
    assert np.array_equal(samples({"rate": 8000}, str(tmp_path / "a.wav")), expected)


def test_the_example_sees_images_of_every_kind_as_the_run_does(tmp_path):
    image = pytest.importorskip("PIL.Image")
    from elman.export.scripts.pixels import encode

    draw = np.random.default_rng(0)
    image.fromarray(draw.integers(0, 256, (9, 21, 4), np.uint8)).save(tmp_path / "clear.png")
    image.fromarray(draw.integers(0, 65_536, (30, 11), np.uint16)).save(tmp_path / "deep.png")
    image.fromarray(draw.integers(0, 256, (190, 233, 3), np.uint8)).quantize(7).save(tmp_path / "few.gif")
    turned = image.Exif()
    turned[0x0112] = 6
    image.fromarray(draw.integers(0, 256, (20, 35), np.uint8)).save(tmp_path / "turned.jpg", exif=turned)
    names = ["clear.png", "deep.png", "few.gif", "turned.jpg"]
    table = tables.read(tables.write(tmp_path / "rows.jsonl", [{"image": name} for name in names]))
    for size in ("14x12", "x12"):
        for channels in (1, 3):
            modality = Images.from_dict({"size": size, "mean": [0.0] * channels, "deviation": [1.0] * channels} | REST)
            encoded = modality.encode(table.column("image"))
            for k, name in enumerate(names):
                found = encode({"modality": "images", **modality.to_dict()}, str(tmp_path / name))
                assert np.array_equal(found["images"][0].swapaxes(0, 1), encoded.image(k))
                assert ("widths" in found) == (size == "x12")


REST = {"reading": "columns", "shift": 0.0}


def test_a_video_is_an_animated_image_or_a_folder_or_a_list(tmp_path):
    image = pytest.importorskip("PIL.Image")
    from elman.export.scripts.pixels import encode

    frames = [image.fromarray(np.full((4, 4), 20 * k, np.uint8)) for k in range(12)]
    for k, frame in enumerate(frames):
        frame.save(tmp_path / f"{k}.png")
    (tmp_path / "notes.txt").write_text("not a frame")
    read = {"modality": "videos", "size": "4x4", "mean": [0.0]}
    expected = np.stack([np.asarray(frame)[..., None] for frame in frames])[None]
    for given in (str(tmp_path), [str(tmp_path / f"{k}.png") for k in range(12)]):
        assert np.array_equal(encode(read, given)["frames"], expected)
        few = encode(read | {"thin": True, "longest": 3}, given)
        assert np.array_equal(few["frames"], expected[:, videos.among(12, 3)])


def with_files_gone(run, folder):
    """The exporter of a run whose table lies where none of its files are."""
    prepared = copy.copy(run.prepared)
    prepared.facts = {part: facts | {"path": str(folder / "rows.jsonl")} for part, facts in prepared.facts.items()}
    return exporter_of(SimpleNamespace(**(vars(run) | {"prepared": prepared})))


@torch.no_grad()
def test_recordings_that_are_gone_are_missed_in_a_sentence(make_run, tmp_path):
    exporter = with_files_gone(make_run("sounds"), tmp_path)
    models = {model.name: lambda *inputs, model=model: list(model.module(*inputs)) for model in exporter.models()}
    with pytest.raises(elman.RunError, match=r"an export is checked on held-out recordings, but .*cannot be read: "):
        list(exporter.trials(models))


@pytest.mark.parametrize("kind", ["images", "films", "described films"])
def test_images_and_videos_that_are_gone_are_not_missed(kind, make_run, tmp_path):
    exporter = with_files_gone(make_run(kind), tmp_path)
    assert list(exporter.encodings(scripts.find(exporter.script), description(exporter, []))) == []
