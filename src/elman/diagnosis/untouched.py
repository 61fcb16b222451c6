"""Leave a module, and all random numbers, as they were: what a look inside may use up, and gives back.

It does not know what is done in between.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


@contextmanager
def untouched(module: nn.Module) -> Iterator[Callable[[], None]]:
    """Run a block, then put back buffers, attributes, flags, hooks and generators as they were.

    The block is given the function that does so, to do it in between.

    Parameters are not copied: the block must not write to them, nor to their `.grad`. Attributes are put back with what
    lies in their lists, dictionaries and sets; other objects of the user's are not looked into.
    """
    places = [vars(each) for each in module.modules()]
    values = [value for each in places for value in each.values()]
    inside = [each for each in values if isinstance(each, dict)]  # most values, and most of these are empty
    tables = [(each, dict(each)) for each in (*places, *inside)]
    others = [each for each in values if not isinstance(each, dict)]
    others += [value for each in inside for value in each.values()]
    contents = [(each, content) for each in others if (content := _content(each)) is not None]
    python, numbers = random.getstate(), np.random.get_state()  # noqa: NPY002 - the user's generator, not ours
    torchs = torch.get_rng_state()
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []

    def put_back() -> None:
        random.setstate(python)
        np.random.set_state(numbers)  # noqa: NPY002
        torch.set_rng_state(torchs)
        if devices:
            torch.cuda.set_rng_state_all(devices)
        for table, known in tables:
            table.clear()
            table.update(known)
        with torch.no_grad():
            for value, content in contents:
                _refill(value, content)

    try:
        yield put_back
    finally:
        put_back()


def _content(value: Any) -> Any:
    """What a value other than a dictionary holds, copied; None of one that does not change, or must not be written."""
    if isinstance(value, list | set):
        return value.copy()
    if isinstance(value, Tensor):
        return None if isinstance(value, nn.Parameter) else value.detach().clone()
    return value.get_state() if isinstance(value, torch.Generator) else None


def _refill(value: Any, content: Any) -> None:
    """Make a value hold what it held before."""
    if isinstance(value, list):
        value[:] = content
    elif isinstance(value, set):
        value.clear()
        value.update(content)
    elif isinstance(value, torch.Generator):
        value.set_state(content)
    elif not torch.equal(value, content):
        value.copy_(content)
