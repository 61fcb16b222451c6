"""Leave a module, and all random numbers, as they were: what a look inside may use up, and gives back.

It does not know what is done in between.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


@contextmanager
def untouched(module: nn.Module) -> Iterator[None]:
    """Run a block, then put back buffers, attributes, flags, hooks and generators as they were.

    Parameters are not copied: the block must not write to them, nor to their `.grad`. Attributes are put back with what
    lies in their lists, dictionaries and sets; other objects of the user's are not looked into.
    """
    places = [vars(each) for each in module.modules()]
    attributes = [dict(place) for place in places]
    values = [value for each in attributes for value in each.values()]
    values += [inside for value in values if isinstance(value, dict) for inside in value.values()]
    contents = [(value, content) for value in values if (content := _content(value)) is not None]
    python, numbers = random.getstate(), np.random.get_state()  # noqa: NPY002 - the user's generator, not ours
    devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    try:
        with torch.random.fork_rng(devices=list(devices)):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numbers)  # noqa: NPY002
        for place, own in zip(places, attributes, strict=True):
            _refill(place, own)
        with torch.no_grad():
            for value, content in contents:
                _refill(value, content)


def _content(value: Any) -> Any:
    """What a value holds, copied; None of one that does not change, or that nobody may write to."""
    if isinstance(value, dict):  # most attributes of a module, and most of these are empty
        return dict(value)
    if isinstance(value, list | set):
        return value.copy()
    if isinstance(value, Tensor):
        return None if isinstance(value, nn.Parameter) else value.detach().clone()
    return value.get_state() if isinstance(value, torch.Generator) else None


def _refill(value: Any, content: Any) -> None:
    """Make a value hold what it held before."""
    if isinstance(value, dict | set):
        value.clear()
        value.update(content)
    elif isinstance(value, list):
        value[:] = content
    elif isinstance(value, torch.Generator):
        value.set_state(content)
    elif not torch.equal(value, content):
        value.copy_(content)
