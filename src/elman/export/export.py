"""From a run to a folder that runs where Elman is not: models, what belongs to them, and an example.

It does not know the command line.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from elman import tasks
from elman.errors import RunError, UsageError
from elman.export import folder, runtime, scripts
from elman.export.answering import Answering
from elman.export.base import Exporter, Model, Port, Trial
from elman.export.forecasting import Forecasting
from elman.export.reading_on import ReadingOn
from elman.export.to_onnx import check_installed, to_onnx
from elman.export.writing import Writing
from elman.run.folder import folder_path
from elman.run.run import Run, load
from elman.version import VERSION

EXPORTERS: tuple[type[Exporter], ...] = (ReadingOn, Answering, Forecasting, Writing)
"""One for each topology that can be exported."""

QUANTIZATIONS = ("int8",)
APART = 1e-3
"""A model that differs from the run by more, and is not rounded, is not written."""


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        folder: where.
        description: what `model.json` says; `check` is None where ONNX Runtime is not installed.
        sizes: of the files, in bytes.
    """

    folder: Path
    description: dict[str, Any]
    sizes: dict[str, int]


def export(
    run: Run | str | Path,
    out: str | Path | None = None,
    *,
    quantize: str | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Exported:
    """Write a run as ONNX models, checked beside the run itself in ONNX Runtime where that is installed.

    Args:
        run: a run, or its folder.
        out: the folder to make; default `export` in the run's folder. An earlier export in it is replaced.
        quantize: "int8" to keep matrices in a quarter of the memory, rounded; the score is then measured anew.
        tell: is given lines about what is done.

    Raises:
        ElmanError: one sentence on what is wrong; nothing was written then.

    """
    if quantize not in (None, *QUANTIZATIONS):
        raise UsageError(f"--quantize {quantize} is unknown; there is: {', '.join(QUANTIZATIONS)}")
    run = load(run.path if isinstance(run, Run) else run)  # its own network, made outside of the caller's blocks
    target = folder.checked(run.path / "export" if out is None else folder_path(out, "out"))
    check_installed()
    if quantize and not runtime.available():
        raise RunError("--quantize needs onnxruntime: pip install 'elman[export]'")
    with torch.inference_mode(mode=False), torch.no_grad():
        exporter = exporter_of(run)
        models = exporter.models()
        contents = {}
        for model in models:
            tell(f"writing {model.name}.onnx: {model.does}")
            contents[model.name] = to_onnx(model, _properties(run, model))
        if quantize:
            contents = {name: runtime.quantized(content) for name, content in contents.items()}
        described = description(exporter, models) | {"quantized": quantize}
        described["check"] = _check(exporter, contents, described) if runtime.available() else None
    parts = {f"{name}.onnx": content for name, content in contents.items()}
    parts |= {
        folder.MARK: folder.as_json(described),
        folder.EXAMPLE: scripts.source(scripts.find(exporter.script)).encode(),
    }
    return Exported(folder.write(target, parts), described, {name: len(content) for name, content in parts.items()})


def exporter_of(run: Run) -> Exporter:
    """The exporter of a run's topology.

    Raises:
        RunError: if there is none.

    """
    for each in EXPORTERS:
        if each.takes(run):
            return each(run)
    read = getattr(run.prepared, "input", None)
    what = f"{'an' if run.task[0] in 'aeiou' else 'a'} {run.task} run" + (f" that reads {read.name}" if read else "")
    raise RunError(f"{what} cannot be exported yet; load it with elman.load, where Elman is installed")


def description(exporter: Exporter, models: list[Model]) -> dict[str, Any]:
    """What `model.json` says of a run, before the check."""
    run = exporter.run
    return {
        "elman": VERSION,
        "task": run.task,
        "run": run.path.resolve().name,
        "network": run.description.get("model", {}).get("summary"),
        "scores": run.scores,
        "models": {
            model.name: {
                "file": f"{model.name}.onnx",
                "does": model.does,
                "inputs": _ports(model.inputs),
                "outputs": _ports(model.outputs),
            }
            for model in models
        },
        "modalities": exporter.prepared.to_dict(),
        **exporter.facts(),
    }


def _ports(ports: tuple[Port, ...]) -> list[dict[str, Any]]:
    return [
        {
            "name": port.name,
            "type": str(port.type).removeprefix("torch."),
            "shape": list(port.axes),
            "meaning": port.meaning,
        }
        for port in ports
    ]


def _properties(run: Run, model: Model) -> dict[str, str]:
    """What a file says of itself."""
    return {"elman": VERSION, "task": run.task, "model": model.name, "does": model.does, "see": "model.json"}


def _check(exporter: Exporter, contents: Mapping[str, bytes], described: Mapping[str, Any]) -> dict[str, Any]:
    """Set the models beside the run on its held-out rows.

    Raises:
        RunError: if a model that is not rounded answers otherwise.

    """
    runners = runtime.runners(contents)
    trials = list(exporter.trials(runners))
    worst = max(trials, key=lambda trial: trial.difference)
    if described["quantized"] is None and not worst.difference <= APART:
        raise RunError(
            f"the exported {worst.model} differs from the run by {worst.difference:.1e} on {worst.rows} rows of "
            f"{worst.steps} steps, so nothing was written; this is a fault of Elman: please report it"
        )
    same = list(exporter.encodings(scripts.find(exporter.script), described))
    found: dict[str, Any] = {
        "runtime": f"onnxruntime {runtime.version()}",
        "part": exporter.part,
        "models": _differences(trials),
        "example": {"rows": len(same), "encoded_otherwise": same.count(False)},
    }
    standing = exporter.stand_in(runners) if described["quantized"] else None
    if standing is not None:
        found["score"] = tasks.find(exporter.run.task).score(*standing, exporter.part)
    return found


def _differences(trials: list[Trial]) -> dict[str, dict[str, Any]]:
    """For each model the largest difference, and how many batches of which sizes were tried."""
    found = {}
    for name in dict.fromkeys(trial.model for trial in trials):
        own = [trial for trial in trials if trial.model == name]
        found[name] = {
            "largest": max(trial.difference for trial in own),
            "batches": [{"rows": trial.rows, "steps": trial.steps} for trial in own],
        }
    return found
