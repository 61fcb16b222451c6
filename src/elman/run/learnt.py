"""What a run takes over from an earlier one whose network learns on: its weights, and what it was worth.

It does not know how a run is made.
"""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from elman.errors import RunError
from elman.run.folder import folder_path
from elman.run.run import Run, load
from elman.tasks.base import Score, Task
from elman.training.checkpoint import read_tensors

BEFORE = "the same before it learnt on"
"""What the network is called among the baselines."""


def opened(given: str | Path | Run, task: Task) -> Run:
    """Return the run whose network learns on; RunError where it cannot."""
    run = given if isinstance(given, Run) else load(folder_path(given, "pretrained"))
    if run.task != task.name:
        raise RunError(f"{run.path} is a run of {run.task}, not of {task.name}, so its network cannot learn that")
    run.network  # noqa: B018 - says in a sentence what is wrong with the file
    return run


@torch.no_grad()
def put(weights: Path, network: nn.Module, *, as_last: bool) -> None:
    """Give a network the weights of one that may have known fewer symbols.

    Those that are new begin as the last one was, which may have stood for all that were not known, or at zero.
    """
    pretrained, _ = read_tensors(weights)
    for name, own in network.state_dict().items():
        old = pretrained[name]
        if own.dim():
            own[: len(old)] = old
            own[len(old) :] = old[-1] if as_last else 0
        else:
            own.copy_(old)


def before(pretrained: dict[str, Any], part: str) -> list[Score]:
    """What a pretrained network was worth before it learnt on, as a baseline; nothing for a network that is new."""
    return [{"name": BEFORE, **pretrained["scores"][part]}] if part in pretrained.get("scores", {}) else []
