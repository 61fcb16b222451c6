"""Exports, written and run by ONNX Runtime without Elman."""

import json
import subprocess
import sys

import pytest
import torch

pytest.importorskip("onnxscript", reason="exports need onnxscript: pip install 'elman[export]'")
pytest.importorskip("onnxruntime", reason="exports are checked by onnxruntime: pip install 'elman[export]'")

import onnx

import elman
from elman.export import export, runtime
from elman.export.base import BATCH, INDEX, TIME, Model, Port, difference
from elman.export.export import exporter_of
from elman.export.recurrence import Portable
from elman.export.scripts.samples import sound
from elman.export.to_onnx import to_onnx
from elman.layers import build

ALONE = """
import runpy, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("elman", "torch", "polars"):
            raise ImportError(name)
sys.meta_path.insert(0, Absent())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
CLOSE = 1e-4


def alone(folder, *arguments):
    """What the example prints, in a process without Elman."""
    command = [sys.executable, "-c", ALONE, str(folder / "example.py"), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    return export(run, tmp_path_factory.mktemp("out") / "export")


def test_a_language_model_becomes_a_model_of_many_symbols_and_one_of_one(run, exported):
    assert {path.name for path in exported.folder.iterdir()} == {"model.onnx", "step.onnx", "model.json", "example.py"}
    described = json.loads((exported.folder / "model.json").read_text())
    assert described == exported.description
    assert described["check"]["models"]["step"]["largest"] < CLOSE
    assert described["check"]["example"]["encoded_otherwise"] == 0


def test_files_name_inputs_and_axes_and_nothing_of_the_machine(exported):
    content = (exported.folder / "model.onnx").read_bytes()
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model)
    dims = [d.dim_param or d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    assert ([each.name for each in model.graph.input], dims) == (["symbols", "h", "c"], ["batch", "time"])
    assert [node.op_type for node in model.graph.node].count("LSTM") == 1
    assert {each.key for each in model.metadata_props} == {"elman", "task", "model", "does", "see"}
    assert [each.version for each in model.opset_import if not each.domain] == [18]
    assert b".py" not in content


def test_the_example_says_without_elman_what_the_run_says(run, exported):
    (expected,) = run.predict(["the cat sat on a mat."])
    assert f"{expected['log_probability']:.3f}" in alone(exported.folder, "the cat sat on a mat.", "5")


@pytest.mark.slow
@torch.no_grad()
def test_models_of_every_topology_answer_as_the_network_does(any_run):
    exporter = exporter_of(any_run)
    models = exporter.models()
    contents = {model.name: to_onnx(model, {"elman": "0"}) for model in models}
    trials = list(exporter.trials(runtime.runners(contents)))
    assert {trial.model for trial in trials} == {model.name for model in models}
    assert max(trial.difference for trial in trials) < CLOSE


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "sizes"), [("sounds", (1, 200, 279, 280, 281, 2000)), ("images of any width", (1, 2, 9))]
)
@torch.no_grad()
def test_models_take_less_than_the_exporter_was_shown(kind, sizes, make_run):
    (model,) = exporter_of(make_run(kind)).models()
    (run,) = runtime.runners({"model": to_onnx(model, {"elman": "0"})}).values()
    first, second = model.inputs
    (axis,) = first.sizes
    for size in sizes:
        shape = [{"batch": 3, axis: size}.get(each, each) for each in first.axes]
        given = torch.randint(0, 256, shape).to(torch.uint8) if first.type == torch.uint8 else torch.randn(shape)
        extents = torch.tensor([size, 1, (size + 1) // 2])
        for found, expected in zip(run(given, extents), model.module(given, extents), strict=True):
            assert difference(found, expected) < CLOSE
    assert second.axes == ("batch",)


class Layer(torch.nn.Module):
    def __init__(self, stack):
        super().__init__()
        self.stack = Portable(stack)

    def forward(self, x, lengths):
        output, state = self.stack.scan(x.transpose(0, 1), None, lengths)
        return output.transpose(0, 1), *state


@pytest.mark.parametrize("cell", ["rnn", "rnn-relu", "gru", "gru-reset-before", "peephole-lstm", "slstm", "lru"])
@torch.no_grad()
def test_a_layer_of_any_cell_takes_rows_of_any_length(cell):
    stack = build(cell, 5, 6, bidirectional=True, learn_state=True).eval()
    for name, parameter in stack.named_parameters():
        if name.startswith("initial_"):
            parameter.uniform_(0.5, 1)
    inputs = Port("x", (BATCH, TIME, 5), ""), Port("lengths", (BATCH,), "", INDEX)
    names = ("y", *(f"{name}_next" for name in stack.cell.states))
    model = Model("layer", "", Layer(stack), inputs, tuple(Port(name, (), "") for name in names))
    (run,) = runtime.runners({"layer": to_onnx(model, {"elman": "0"})}).values()
    for rows, steps in ((1, 1), (4, 9), (2, 3)):
        x, lengths = torch.randn(rows, steps, 5), torch.randint(1, steps + 1, (rows,))
        output, state = stack.scan(x.transpose(0, 1), None, lengths)
        for found, expected in zip(run(x, lengths), (output.transpose(0, 1), *state), strict=True):
            assert difference(found, expected) < CLOSE


class OnFrom(torch.nn.Module):
    def __init__(self, stack):
        super().__init__()
        self.stack = Portable(stack)

    def forward(self, x, *state):
        output, state = self.stack.scan(x.transpose(0, 1), state)
        return output.transpose(0, 1), *state


@pytest.mark.parametrize("cell", ["lstm", "mgu"])
@torch.no_grad()
def test_stacked_layers_go_on_from_a_state_that_is_given(cell):
    stack = build(cell, 6, 6, num_layers=2, residual=True).eval()
    states = [Port(name, (2, BATCH, 6), "") for name in stack.cell.states]
    names = ("y", *(f"{port.name}_next" for port in states))
    inputs, outputs = (Port("x", (BATCH, TIME, 6), ""), *states), tuple(Port(name, (), "") for name in names)
    model = Model("layer", "", OnFrom(stack), inputs, outputs)
    (run,) = runtime.runners({"layer": to_onnx(model, {"elman": "0"})}).values()
    for rows, steps in ((1, 1), (4, 9)):
        x, state = torch.randn(rows, steps, 6), tuple(torch.randn(2, rows, 6) for _ in states)
        output, after = stack.scan(x.transpose(0, 1), state)
        for found, expected in zip(run(x, *state), (output.transpose(0, 1), *after), strict=True):
            assert difference(found, expected) < CLOSE


def test_int8_takes_less_and_the_score_is_measured_anew(run, tmp_path, exported):
    found = export(run, tmp_path / "int8", quantize="int8")
    assert found.sizes["model.onnx"] < exported.sizes["model.onnx"]
    score = found.description["check"]["score"]
    assert score["symbols"] == run.scores["valid"]["symbols"]
    assert score["loss"] == pytest.approx(run.scores["valid"]["loss"], rel=0.02)
    assert score["loss"] != run.scores["valid"]["loss"]


@pytest.mark.slow
def test_speech_is_heard_without_elman_and_int8_is_scored(make_run, tmp_path):
    place = make_run("sounds").path
    options = {
        "output": ["text"],
        "bidirectional": False,
        "embedding": 16,
        "hidden": 16,
        "steps": 120,
        "precision": "float32",
    }
    run = elman.train("speech-recognition", place / "rows.jsonl", out=tmp_path / "r", quiet=True, **options)
    found = export(run, tmp_path / "out")
    assert {path.suffix for path in found.folder.iterdir()} == {".onnx", ".json", ".py"}
    assert found.description["check"]["example"] == {"rows": 20, "encoded_otherwise": 0}
    texts = set()
    for name in ("0.wav", "1.wav", "2.wav"):
        (expected,) = run.predict([str(place / name)])
        assert alone(found.folder, str(place / name)).strip() == expected["text"]
        listening = run.stream()
        heard = listening.feed(sound(str(place / name))[1]) + listening.finish()
        assert alone(found.folder, str(place / name), "--stream").strip() == heard.strip()
        texts.add(expected["text"])
    assert texts != {""}
    rounded = export(run, tmp_path / "int8", quantize="int8")
    assert rounded.sizes["step.onnx"] < found.sizes["step.onnx"]
    score = rounded.description["check"]["score"]
    assert score["symbol_loss"] == pytest.approx(run.scores["valid"]["symbol_loss"], rel=0.05)


def test_a_model_that_answers_otherwise_is_not_written(run, tmp_path, monkeypatch):
    from elman.export import reading_on

    monkeypatch.setattr(reading_on, "difference", lambda *_: float("nan"))
    with pytest.raises(elman.RunError, match=r"differs from the run by nan .* so nothing was written"):
        export(run, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_without_onnxruntime_the_check_is_left_out_and_that_is_said(run, tmp_path, monkeypatch, capsys):
    from elman.cli.export import export as command

    monkeypatch.setattr(runtime, "available", lambda: False)
    command(run.path, tmp_path / "out")
    assert "Not checked: onnxruntime is not installed" in capsys.readouterr().out
    assert json.loads((tmp_path / "out" / "model.json").read_text())["check"] is None
    with pytest.raises(elman.RunError, match="--quantize needs onnxruntime"):
        export(run, tmp_path / "int8", quantize="int8")


def test_the_command_prints_one_json_object(run, tmp_path, capsys):
    from elman.cli.export import export as command

    command(run.path, tmp_path / "out", json=True)
    found = json.loads(capsys.readouterr().out)
    assert found["folder"] == str(tmp_path / "out")
    assert set(found["files"]) == {"model.onnx", "step.onnx", "model.json", "example.py"}
    assert found["check"]["models"]["model"]["largest"] < CLOSE
