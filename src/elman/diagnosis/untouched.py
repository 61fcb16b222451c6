"""Leave a module, and all random numbers, as they were: what a look inside may use up, and gives back.

It does not know what is done in between.
"""

import random
from collections.abc import Iterable, Iterator
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
    contents = list(_contents(value for each in attributes for value in each.values()))
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


def _contents(values: Iterable[Any], *, inside: bool = True) -> Iterator[tuple[Any, Any]]:
    """Each value that may change inside, with what it holds, copied; of dictionaries the values too, one level deep."""
    for value in values:
        if isinstance(value, dict):  # most attributes of a module, and most of these are empty
            yield value, dict(value)
            if inside and value:
                yield from _contents(value.values(), inside=False)
        elif isinstance(value, list | set):
            yield value, value.copy()
        elif isinstance(value, torch.Generator):
            yield value, value.get_state()
        elif isinstance(value, Tensor) and not isinstance(value, nn.Parameter):
            yield value, value.detach().clone()


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
