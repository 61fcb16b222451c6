"""Look inside a run: its network as training left it, on a batch of its own data or of another file.

The measuring is done by `elman.diagnosis`; this knows where network, batch, optimizer and gradient norms come from.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from elman import files
from elman.data.share import WHOLE, Share
from elman.diagnosis.examine import Training, examine
from elman.diagnosis.result import Diagnosis
from elman.errors import UsageError
from elman.randomness import seeded
from elman.run.folder import RunFolder
from elman.tasks.base import Prepared, Task
from elman.training import budget, checkpoint, optimizer, truncation
from elman.training.loop import Batches
from elman.training.memory import kept_pages
from elman.training.options import TrainingOptions

WIDER = 4
"""A batch of a stream is so many windows long, so that what truncation cuts away can be seen, and has as many times
fewer lanes, so that it takes no more memory than in training."""

TRIED = 8
"""Batches that are looked into at most until one can be followed: those of a table hold rows of one length, and the
first may be of rows of two steps."""

BRIEF = ("name", "steps", "decay_per_step", "half_life", "horizon", "lyapunov_exponent")


def look_inside(
    task: Task, network: nn.Module, prepared: Prepared, options: TrainingOptions, folder: RunFolder
) -> Diagnosis:
    """Diagnose a run on the first batch of the training part of `prepared` that can be followed, among TRIED.

    Arguments as for `training_step`.

    Raises:
        UsageError: if there is nothing to follow, as in `elman.diagnose`.

    """
    wrong: list[UsageError] = []
    for number in range(TRIED):
        with training_step(task, network, prepared, options, folder, number) as (step, training):
            try:
                return examine(network, step, training)
            except UsageError as error:
                wrong.append(error)
    raise wrong[0]


@contextmanager
def training_step(
    task: Task, network: nn.Module, prepared: Prepared, options: TrainingOptions, folder: RunFolder, number: int = 0
) -> Iterator[tuple[Callable[[], Tensor], Training]]:
    """The loss of one of a run's first batches as a function, and what is known of the training, while a block runs.

    Args:
        task: the run's task.
        network: with trained weights; from the checkpoint, where there is one, it gets those that training would go on
            with, and the optimizer's moments are used.
        prepared: the data.
        options: the run's options.
        folder: the run's folder; nothing is written to it.
        number: of the batch.

    """
    with seeded(options.seed), kept_pages():
        material = task.material(prepared, options)
        used = _moments(network, options, folder)
        window, share = _widen(material.batches)
        network.eval()
        batch = [material.batches.next(share) for _ in range(number + 1)][-1]
        training = Training(used, clip=options.clip or None, window=window, norms=_norms(folder))
        yield lambda: material.objective(network, batch, None).loss, training


def during_training(clip: float | None) -> Callable[..., dict[str, Any]]:
    """What the training loop calls every so many steps; the answer is a line of metrics.jsonl."""

    def inspect(
        module: nn.Module, step: Callable[[], Tensor], used: torch.optim.Optimizer, norms: Sequence[float]
    ) -> dict[str, Any]:
        found = examine(module, step, Training(used, clip=clip or None, norms=norms)).to_dict()
        return {
            "event": "diagnosis",
            "layers": [{name: layer[name] for name in BRIEF} for layer in found["layers"]],
            "findings": [{"problem": each["problem"], "layer": each["layer"]} for each in found["findings"]],
        }

    return inspect


def _moments(network: nn.Module, options: TrainingOptions, folder: RunFolder) -> torch.optim.Optimizer | None:
    """The optimizer as the checkpoint has it, at the rate of its last step; None without a checkpoint."""
    if not folder.checkpoint.exists():
        return None
    built = optimizer.build(network, options)
    kept = checkpoint.load(folder.checkpoint, {"model": network}, built)
    rate = budget.rate(options, kept.progress)
    for group in built.param_groups:
        group["lr"] = rate
    return built


def _widen(batches: Batches) -> tuple[int | None, Share]:
    """Make the batches of a stream WIDER windows long; the window, None of other data, and which lanes to take."""
    if not isinstance(batches, truncation.Windows):
        return None, WHOLE
    window = batches.window
    batches.window = batches.advance = min(WIDER * window, batches.lanes.length)
    return window, Share(0, min(WIDER, batches.smallest))


def _norms(folder: RunFolder) -> list[float]:
    """The gradient norms that training has written down."""
    values = [line.get("gradient_norm") for line in files.json_lines(folder.metrics)]
    return [float(value) for value in values if isinstance(value, int | float)]
