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
    saved = [(each, _saved(vars(each))) for each in module.modules()]
    python, numbers = random.getstate(), np.random.get_state()  # noqa: NPY002 - the user's generator, not ours
    devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    try:
        with torch.random.fork_rng(devices=list(devices)):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numbers)  # noqa: NPY002
        with torch.no_grad():
            for each, attributes in saved:
                _restore(vars(each), attributes)


def _saved(values: dict[Any, Any], *, inside: bool = True) -> dict[Any, tuple[Any, Any]]:
    """By name the value itself, and what it held; of dictionaries the content too, one level deep."""
    return {name: (value, _content(value, inside=inside)) for name, value in values.items()}


def _content(value: Any, *, inside: bool) -> Any:
    match value:
        case bool() | int() | float() | str() | None | nn.Parameter():  # most values, and quickly seen
            return None
        case Tensor():
            return value.detach().clone()
        case dict():
            return _saved(value, inside=False) if inside else None
        case list() | set():
            return value.copy()
        case torch.Generator():
            return value.get_state()
    return None


def _restore(values: dict[Any, Any], saved: dict[Any, tuple[Any, Any]]) -> None:
    """Make a dictionary hold the same objects as before, and each of them the same content."""
    values.clear()
    for key, (value, content) in saved.items():
        values[key] = value
        if content is not None:
            _refill(value, content)


def _refill(value: Any, content: Any) -> None:
    match value:
        case Tensor():
            if not torch.equal(value, content):
                value.copy_(content)
        case dict():
            _restore(value, content)
        case list():
            value[:] = content
        case set():
            value.clear()
            value.update(content)
        case torch.Generator():
            value.set_state(content)
