"""Random numbers: one seed, one place, and no trace left in the caller's own generators; a leaf."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


def state_of(device: torch.device) -> Tensor:
    """The state of torch's generators that a computation on a device draws from: the CPU's, and a GPU's behind it."""
    own = torch.get_rng_state()
    return torch.cat([own, torch.cuda.get_rng_state(device)]) if device.type == "cuda" else own


def set_state(state: Tensor, device: torch.device) -> None:
    """Put the generators back to a `state_of`; a GPU's is left as it is where the state is that of another device."""
    size = len(torch.get_rng_state())
    torch.set_rng_state(state[:size])
    if device.type == "cuda" and len(state) > size:
        torch.cuda.set_rng_state(state[size:], device)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Run a block with torch's generators seeded, and give the caller his own states back afterwards."""
    devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    with torch.random.fork_rng(devices=list(devices)):
        torch.manual_seed(seed)
        yield
