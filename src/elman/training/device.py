"""Where a network trains. It is scored, looked into and kept on the CPU, whichever device that was."""

import os

import torch
from torch import nn

from elman import engine
from elman.errors import UsageError
from elman.layers import Stack

CPU = torch.device("cpu")


def resolve(wanted: str, module: nn.Module) -> torch.device:
    """Return the device that is wanted, or for "auto" the faster one: a GPU if its kernels know the network's cells.

    cuDNN has kernels for the cells of torch.nn. All others are a loop over the time steps there, which the CPU's
    native engine is about eight times as fast as. Of several processes on a machine, each takes a GPU of its own.

    Raises:
        UsageError: if a GPU is wanted where torch finds none.

    """
    if not torch.cuda.is_available():
        if wanted == "cuda":
            raise UsageError(
                "--device cuda needs a GPU, and torch finds none here (torch.cuda.is_available() is false); leave "
                "--device out, or install a torch that is built for the GPU"
            )
        return CPU
    stacks = [each for each in module.modules() if isinstance(each, Stack)]
    if wanted == "cpu" or (wanted == "auto" and not all(engine.torch_knows(each.cell) for each in stacks)):
        return CPU
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())
