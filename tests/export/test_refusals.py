"""What cannot be exported is refused in a sentence, and nothing is left half-written; nothing here needs ONNX."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import elman
from elman.errors import RunError, UsageError
from elman.export import export, folder, to_onnx
from elman.export.export import exporter_of
from elman.topologies.shared import SharedEncoder


def test_an_unknown_quantization_is_refused(run):
    with pytest.raises(UsageError, match="--quantize int4 is unknown; there is: int8"):
        export(run, quantize="int4")


def test_a_network_of_another_kind_is_refused():
    run = SimpleNamespace(network=torch.nn.Linear(2, 2), task="juggling", prepared=None)
    with pytest.raises(RunError, match="a juggling run cannot be exported yet"):
        exporter_of(run)


def test_what_a_network_reads_must_be_known_to_an_exporter():
    network = SharedEncoder(torch.nn.Identity(), elman.LSTM(2, 2), {})
    read = SimpleNamespace(input=SimpleNamespace(name="scents"))
    with pytest.raises(RunError, match="a classification run that reads scents cannot be exported yet"):
        exporter_of(SimpleNamespace(network=network, task="classification", prepared=read))


def test_missing_libraries_are_named_before_anything_is_done(run, tmp_path, monkeypatch):
    monkeypatch.setattr(to_onnx, "find_spec", lambda _: None)
    with pytest.raises(RunError, match=r"an export needs onnx and onnxscript: pip install 'elman\[export\]'"):
        export(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_export_is_a_folder_of_its_own(run, tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    for out, message in (
        ("net.onnx", "an export is a folder of several files; give --out a folder, not .*net.onnx"),
        ("net.json", "an export is a folder of several files; give --out a folder, not .*net.json"),
        ("file", "is a file; choose another --out"),
        ("full", "is not empty, and no earlier export; choose another --out"),
        ("file/below", "cannot make the folder .*file is a file"),
    ):
        with pytest.raises(RunError, match=message):
            export(run, tmp_path / out)
    assert (tmp_path / "full" / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("out", "said"), [(3, "out must be the path of a folder, got 3"), ("z" * 5000, "out cannot be the folder 'zzz")]
)
def test_what_is_no_path_is_told(run, out, said):
    with pytest.raises(UsageError, match=said):
        export(run, out)


EARLIER = {"model.json": b'{"elman": "0.1.0", "models": {"model": {"file": "old.onnx"}}}', "old.onnx": b"1"}


def contents(place):
    return {path.name: path.read_bytes() for path in place.iterdir()}


def test_an_earlier_export_is_replaced_as_a_whole(tmp_path):
    target = folder.checked(tmp_path / "deep" / "export")
    folder.write(target, EARLIER)
    folder.write(folder.checked(target), {"model.json": b"2"})
    assert [path.name for path in target.parent.iterdir()] == ["export"]
    assert contents(target) == {"model.json": b"2"}


def test_a_folder_that_a_link_names_is_replaced_and_the_link_stays(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "export", target_is_directory=True)
    for _ in range(2):
        assert folder.write(folder.checked(tmp_path / "link"), EARLIER) == tmp_path / "link"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["export", "link"]
    assert (tmp_path / "link").is_symlink()
    assert contents(tmp_path / "export") == EARLIER


@pytest.mark.parametrize(
    ("there", "message"),
    [
        ({"model.json": b'{"format": "layers-model"}', "shard.bin": b"1"}, "is not empty, and no earlier export"),
        ({"model.json": b"null"}, "is not empty, and no earlier export"),
        (EARLIER | {"notes.txt": b"mine"}, "holds notes.txt beside an earlier export; move it away"),
    ],
)
def test_what_is_not_of_an_earlier_export_is_not_overwritten(there, message, tmp_path):
    target = folder.write(tmp_path / "export", there)
    with pytest.raises(RunError, match=message):
        folder.checked(target)
    assert contents(target) == there


def test_the_folder_that_the_command_runs_in_is_not_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match="is the folder that the command runs in"):
        folder.checked(Path())


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_export_that_fails_leaves_the_earlier_one(tmp_path, monkeypatch, error):
    target = folder.write(tmp_path / "export", {"model.json": b"1"})

    def full(self, content):
        raise error

    monkeypatch.setattr(type(target), "write_bytes", full)
    with pytest.raises((RunError, KeyboardInterrupt)):
        folder.write(target, {"model.json": b"2"})
    assert [path.name for path in tmp_path.iterdir()] == ["export"]
    assert (target / "model.json").read_bytes() == b"1"


def test_an_earlier_export_comes_back_where_the_new_one_cannot_take_its_place(tmp_path, monkeypatch):
    target, rename = folder.write(tmp_path / "export", EARLIER), Path.rename

    def refused(self, to):
        if self.name.endswith(".new"):
            raise OSError(13, "Permission denied")
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(RunError, match=r"cannot write .*export: permission denied"):
        folder.write(target, {"model.json": b"2"})
    assert contents(target) == EARLIER
    assert list(tmp_path.iterdir()) == [target]


def test_json_keeps_every_value():
    value = {"a": [1, {"b": [], "c": {}}], "text": 'He said "[ 1 ]",\n', "none": None, "words": ["[", "]"], "ä": 1.5}
    assert json.loads(folder.as_json(value)) == value
    assert b'"words": ["[", "]"]' in folder.as_json(value)
