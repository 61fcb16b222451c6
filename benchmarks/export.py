"""How fast exported models are in ONNX Runtime, beside their runs: python benchmarks/export.py RUN ...

Both take the same real rows, in turn; a number is the time that a tenth of many calls stay below, in microseconds, so
that other work of the machine counts little. What is exported is written anew, and nothing is left behind. A step of a
language model is set beside `layer.stepper()`, as `run.stream()` takes it.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch

from elman.export import export, runtime
from elman.export.export import exporter_of
from elman.export.reading_on import ReadingOn
from elman.run import load

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
            found.setdefault((model.name, tuple(inputs[0].shape[:2] if model.name != "step" else ())), inputs)
            return list(model.module(*inputs))

        return run

    list(exporter.trials({model.name: recording(model) for model in models}))
    return found


def own(exporter, model, inputs):
    """What the run does with the inputs of a model; a step of a language model as a stream takes it, of one row."""
    if model.name != "step" or not isinstance(exporter, ReadingOn):
        return lambda: model.module(*inputs)
    network, symbol = exporter.network, inputs[0]
    stepper = network.recurrence.stepper(len(symbol))
    return lambda: network.head(stepper(network.reader(symbol))).log_softmax(-1)


def session(folder, name, inputs):
    """The same by ONNX Runtime."""
    run = runtime.runners({name: (folder / f"{name}.onnx").read_bytes()})[name]
    return lambda: run(*inputs)


def main(path, place):
    exporter = exporter_of(load(path))
    models = {model.name: model for model in exporter.models()}
    folders = [export(path, Path(place) / str(kind), quantize=kind).folder for kind in (None, "int8")]
    for (name, sizes), inputs in asked(exporter, list(models.values())).items():
        taken = race(own(exporter, models[name], inputs), *(session(folder, name, inputs) for folder in folders))
        said = " x ".join(map(str, sizes)) or "1"
        row = (Path(path).name, name, said, *(f"{t:.0f}" if t >= 100 else f"{t:.1f}" for t in taken))
        print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    print("| run | model | rows x steps | Elman | ONNX Runtime | int8 |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place, torch.inference_mode():
        for each in sys.argv[1:]:
            main(each, place)
