"""Everything that `--resume` needs, in one file that is written whole or not at all; never a pickle.

The tensors are weights, their running average, the optimizer's moments, the carried state and the random generator;
the plain values (progress, position in the data) stand as JSON in the file's own metadata.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialize
from torch import Tensor, nn

from elman import files
from elman.errors import RunError
from elman.training.budget import Progress
from elman.types import State

Tensors = dict[str, Tensor]


@dataclass
class Kept:
    """What goes into a checkpoint beside the modules and the optimizer.

    Attributes:
        best: the best weights so far, empty before the first validation.
        carry: the carried state, of all processes' rows.
        random: the state of torch's generator in each process.
        progress: how far training has come.
        position: where the data stands.
    """

    best: Tensors
    carry: State | None
    random: list[Tensor]
    progress: Progress
    position: dict[str, int]


def save(path: Path, modules: dict[str, nn.Module], optimizer: torch.optim.Optimizer, kept: Kept) -> None:
    """Write a checkpoint. `modules` are saved by name."""
    tensors: Tensors = {f"random.{k}": value for k, value in enumerate(kept.random)}
    tensors |= {f"best.{key}": value for key, value in kept.best.items()}
    for name, module in modules.items():
        tensors |= {f"{name}.{key}": value for key, value in module.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{key}": torch.as_tensor(value) for key, value in state.items()}
    tensors |= {f"carry.{k}": value for k, value in enumerate(kept.carry or ())}
    plain = json.dumps({"progress": dataclasses.asdict(kept.progress), "position": kept.position})
    write_tensors(path, tensors, {"elman": plain})


def load(path: Path, modules: dict[str, nn.Module], optimizer: torch.optim.Optimizer) -> Kept:
    """Put modules and optimizer back to where `save` found them; return the rest.

    Raises RunError when the file is missing, damaged, or of another network.
    """
    tensors, metadata = read_tensors(path)
    try:
        for name, module in modules.items():
            module.load_state_dict(_under(tensors, name))
        _restore_optimizer(optimizer, _under(tensors, "optimizer"))
        random = _listed(tensors, "random") or [tensors["random"]]  # as it was written for one process
        carry = _listed(tensors, "carry")
        plain: dict[str, Any] = json.loads(metadata["elman"])
        progress = Progress(**plain["progress"])
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise RunError(f"the checkpoint {path} does not fit this run ({error}); train anew in another --out") from error
    return Kept(_under(tensors, "best"), tuple(carry) or None, random, progress, plain["position"])


def write_tensors(path: Path, tensors: Tensors, metadata: dict[str, str]) -> None:
    """Write tensors by name as safetensors, whole or not at all."""
    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    files.write_bytes(path, serialize(plain, metadata))


def read_tensors(path: Path) -> tuple[Tensors, dict[str, str]]:
    """Read what `write_tensors` wrote; RunError when it is missing or damaged."""
    try:
        with safe_open(path, "pt") as file:
            # Copied, as they would keep the file mapped, and Windows replaces no such file.
            return {name: file.get_tensor(name).clone() for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except FileNotFoundError as error:
        raise RunError(f"{path} is missing: the run is incomplete; train it anew") from error
    except (SafetensorError, OSError) as error:
        raise RunError(f"{path} is damaged; restore it, or train the run anew") from error


def _under(tensors: Tensors, name: str) -> Tensors:
    start = f"{name}."
    return {key.removeprefix(start): value for key, value in tensors.items() if key.startswith(start)}


def _listed(tensors: Tensors, name: str) -> list[Tensor]:
    found = _under(tensors, name)
    return [found[str(k)] for k in range(len(found))]


def _restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Tensors) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
