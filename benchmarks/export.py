"""How fast exported models are in ONNX Runtime, beside their runs: python benchmarks/export.py RUN ...

Both take the same real rows, in turn; a number is the time that a tenth of many calls stay below, in microseconds, so
that other work of the machine counts little. What is exported is written anew, and nothing is left behind. A step of a
language model is set beside `layer.stepper()`, as `run.stream()` takes it.
"""

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from elman.export import export, runtime
from elman.export.answering import Answering
from elman.export.export import exporter_of
from elman.export.feeds.recordings import RecordingFeed, SampleBatch, rounded
from elman.export.reading_on import ReadingOn
from elman.export.scripts.hearing import stream
from elman.generation.listening import SpeechStream
from elman.modalities.recording_reader import RecordingBatch
from elman.run.run import load

SECONDS = 2.0


def race(*contenders):
    """The microseconds that a tenth of the calls of each stay below, called in turn."""
    times = [[] for _ in contenders]
    for call in contenders:
        call()
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end or len(times[0]) < 20:
        for call, taken in zip(contenders, times, strict=True):
            begin = time.perf_counter()
            call()
            taken.append(1e6 * (time.perf_counter() - begin))
    return [statistics.quantiles(taken, n=10)[0] for taken in times]


def asked(exporter, models):
    """The inputs that the trials give to each model, by model and sizes; of steps one is enough."""
    found = {}

    def recording(model):
        def run(*inputs):
            found.setdefault((model.name, sizes(exporter, model, inputs)), inputs)
            return list(model.module(*inputs))

        return run

    list(exporter.trials({model.name: recording(model) for model in models}))
    return found


def sizes(exporter, model, inputs):
    """Rows and time steps; nothing of a step."""
    feed = getattr(exporter, "feed", None)
    if model.name == "step":
        return ()
    if feed is not None and model.inputs == feed.ports:
        return len(inputs[0]), int(feed(*inputs).lengths.max())
    return tuple(inputs[0].shape[:2])


def own(exporter, model, inputs):
    """What the run does with the inputs of a model; a step of a language model as a stream takes it, of one row."""
    feed = getattr(exporter, "feed", None)
    if isinstance(feed, RecordingFeed) and model.name in ("model", "frames"):
        return lambda: heard(exporter, model, SampleBatch(*inputs))
    if isinstance(exporter, Answering) and model.name == "model":
        size = sizes(exporter, model, inputs)
        batch = next(each for each in exporter.batches() if (len(each.lengths), int(each.lengths.max())) == size)
        return lambda: exporter.network(batch.inputs, batch.lengths)
    if model.name != "step" or not isinstance(exporter, ReadingOn):
        return lambda: model.module(*inputs)
    network, symbol = exporter.network, inputs[0]
    stepper = network.recurrence.stepper(len(symbol))
    return lambda: network.head(stepper(network.reader(symbol))).log_softmax(-1)


def heard(exporter, model, samples):
    """Frames by the run's filter bank and, if the whole model is asked for, its answers."""
    frames, counts = exporter.feed.heard(samples)
    if model.name == "frames":
        return frames
    lengths = -(-counts // exporter.feed.read.layout.stride)
    batch = RecordingBatch(rounded(frames).transpose(0, 1), counts)
    return [one.log_softmax(-1) for one in exporter.network(batch, lengths).values()]


def streamed(path, exporter, models, folders):
    """A row's speech in pieces, by the run's stream and by the models."""
    samples = next(iter(asked(exporter, list(models.values())).values()))[0][0].numpy()
    piece = exporter.feed.read.layout.rate // 10
    pieces, (output,) = np.split(samples, range(piece, len(samples), piece)), exporter.prepared.outputs.values()
    network = SpeechStream(exporter.network, exporter.prepared.input, output)

    def elman():
        return "".join(map(network.feed, pieces)) + network.finish()

    def others(folder):
        described = json.loads((folder / "model.json").read_text())
        frames, step = (onnx(folder, name) for name in ("frames", "step"))
        return lambda: list(stream(described, frames, step, pieces))

    taken = race(elman, *map(others, folders))
    row(path, "frames, step", f"{len(samples) / exporter.feed.read.layout.rate:.2f} s in pieces of 0.1 s", taken)


def onnx(folder, name):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(folder / f"{name}.onnx", options)


def row(path, name, said, taken):
    figures = (f"{t:.0f}" if t >= 100 else f"{t:.1f}" for t in taken)
    print("| " + " | ".join((Path(path).name, name, said, *figures)) + " |", flush=True)


def session(folder, name, inputs):
    """The same by ONNX Runtime."""
    run = runtime.runners({name: (folder / f"{name}.onnx").read_bytes()})[name]
    return lambda: run(*inputs)


def main(path, place):
    exporter = exporter_of(load(path))
    models = {model.name: model for model in exporter.models()}
    folders = [export(path, Path(place) / str(kind), quantize=kind).folder for kind in (None, "int8")]
    for (name, size), inputs in asked(exporter, list(models.values())).items():
        taken = race(own(exporter, models[name], inputs), *(session(folder, name, inputs) for folder in folders))
        row(path, name, " x ".join(map(str, size)) or "1", taken)
    if "frames" in models:
        streamed(path, exporter, models, folders)


if __name__ == "__main__":
    print("| run | model | rows x steps | Elman | ONNX Runtime | int8 |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place, torch.inference_mode():
        for each in sys.argv[1:]:
            main(each, place)
