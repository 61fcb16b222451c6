"""What is kept of a stream, as tensors by name, checked and copied.

But for those of the recurrent state it does not know what the tensors mean.
"""

import copy
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, Self

import torch
from torch import Tensor

from elman.errors import UsageError
from elman.layers import Stack
from elman.layers.stepper import Stepper
from elman.types import State

Kept = Mapping[str, Tensor]
"""All that was read or heard so far, as tensors by name."""

Sizes = Mapping[str, tuple[int, int]]
"""The least and the greatest first dimension of the tensors that have not always the same."""


class Read(NamedTuple):
    """What came of reading on: ln P of each symbol, or set, given all before it, and the state behind the last."""

    log_probabilities: list[float]
    state: Kept


class Forking:
    """What goes on by itself when it is copied, deeply or not, from where it is; the network is shared.

    Attributes:
        own: the attributes that each copy has for itself.
    """

    own: ClassVar[tuple[str, ...]] = ()

    def __copy__(self) -> Self:
        """Return another one that goes on from here."""
        other = type(self).__new__(type(self))
        vars(other).update(vars(self), **{name: copy.copy(vars(self)[name]) for name in self.own})
        return other

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return the same: going on does not change the network."""
        del memo
        return self.__copy__()


def beginning(recurrence: Stack, rows: int) -> State:
    """The state that so many rows begin with, tensors (L, B, ·)."""
    return tuple(torch.cat(tensors).detach() for tensors in zip(*recurrence.by_layer(None, rows), strict=True))


def begun(recurrence: Stack) -> dict[str, Tensor]:
    """The recurrent state, tensors (L, 1, ·) by name, of what has read nothing yet."""
    return dict(zip(recurrence.cell.states, (tensor.cpu() for tensor in beginning(recurrence, 1)), strict=True))


def carried(stepper: Stepper) -> State:
    """A copy of a stepper's state as a tuple, of one tensor too."""
    state = stepper.state
    return state if isinstance(state, tuple) else (state,)


def check(state: Kept, fresh: Kept, sizes: Sizes | None = None) -> None:
    """Raise UsageError where a state is not one of the streams that begin with `fresh`."""
    _check_tensors(state)
    wanted, given = _forms(fresh, sizes or {}), _forms(state, sizes or {})
    if given != wanted:
        raise UsageError(f"the state of a stream of this run has the tensors {_said(wanted)}, got {_said(given)}")
    if wrong := next((name for name, tensor in state.items() if not bool(torch.isfinite(tensor).all())), None):
        raise UsageError(f"the state's tensor {wrong!r} holds values that are not finite; send it as it was saved")


def _check_tensors(state: Any) -> None:
    """Raise UsageError where a state is not made of tensors by name."""
    if not isinstance(state, Mapping) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise UsageError(
            f"the state of a stream is tensors by name, as `stream.state` gives them, got {type(state).__name__}"
            f"{' of other values' if isinstance(state, Mapping) else ''}; to begin anew, call `stream.reset()`"
        )


def _forms(state: Kept, sizes: Sizes) -> dict[str, str]:
    """Type and shape of each tensor in words, a dimension within its bounds as these."""
    found = {}
    for name, tensor in state.items():
        shape = [str(size) for size in tensor.shape]
        least, most = sizes.get(name, (0, -1))
        if shape and least <= tensor.shape[0] <= most:
            shape[0] = f"{least} to {most}"
        found[name] = f"{str(tensor.dtype).removeprefix('torch.')}[{', '.join(shape)}]"
    return found


def _said(forms: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {form}" for name, form in forms.items()) or "none"
