"""A prepared step for streams: one time step of all layers in one call, with the state kept in place.

It does not know which backend takes the steps.
"""

from collections.abc import Callable, Sequence
from typing import Any, NoReturn, Self

import torch
from torch import Tensor

from elman import engine
from elman.cells import Cell, Weights
from elman.engine.storage import STORAGE
from elman.errors import UsageError
from elman.layers.arguments import Hidden, tensors_of
from elman.types import State


class Stepper:
    """Takes a stack of layers one step further with every call; made by `layer.stepper(batch)`.

        stepper = layer.stepper()
        for x in stream:  # (1, I)
            y = stepper(x)  # (1, P), overwritten by the next call

    The weights are those of the moment when it was made. Nothing is recorded for gradients, and on the CPU a call
    allocates nothing but the sums of residual layers. One stepper serves one thread. A copy of it (`copy.copy`) goes on
    by itself from the same state, and shares the weights: so many streams have a few kilobytes each.
    """

    def __init__(
        self,
        cell: Cell,
        weights: tuple[Weights, ...],
        initial: list[State],
        *,
        form: Callable[[list[State]], Hidden],
        parse: Callable[[Hidden], list[State]],
        residual: bool = False,
        storage: torch.dtype | None = None,
    ) -> None:
        """Prepare.

        Args:
            cell: the time step.
            weights: by layer.
            initial: by layer, the state to begin with, tensors (1, B, ·).
            form: from a state by layer to what the caller has, and
            parse: back.
            residual: whether every layer but the first adds its input to its output.
            storage: what matrices are kept as, if not as they are.

        """
        first = weights[0].ih
        self._form, self._parse = form, parse
        self._cell, self._storage = cell, storage
        self._shape = torch.Size((initial[0][0].shape[1], first.shape[1]))
        self._dtype = first.dtype
        self._device = first.device
        self._initial = [tuple(tensor.detach().clone() for tensor in each) for each in initial]
        parts = [[each] for each in weights] if residual else [weights]
        self._parts = [engine.prepare(cell, part, self._shape[0], storage=storage) for part in parts]
        self._begin(self._initial)

    def _begin(self, state: list[State]) -> None:
        """Go on from a copy of a state."""
        self._state = [tuple(tensor.clone() for tensor in each) for each in state]
        own = [tuple(tensor[0] for tensor in each) for each in self._state]
        if len(self._parts) == 1:
            self._take = self._parts[0](own)
        else:
            self._take = _adding([part([each]) for part, each in zip(self._parts, own, strict=True)])

    def __copy__(self) -> Self:
        """Return another stepper in the same state, with the same weights."""
        other = type(self).__new__(type(self))
        vars(other).update(vars(self))
        other._begin(self._state)  # noqa: SLF001
        return other

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return the same: the weights never change."""
        del memo
        return self.__copy__()

    def __reduce__(self) -> NoReturn:
        """Raise TypeError: what it is made of lives in this process only."""
        raise TypeError(
            "a stepper cannot be pickled; save its state, and set it in one that the layer makes in the other process"
        )

    def __call__(self, input: Tensor) -> Tensor:
        """Take one step.

        Args:
            input: (B, I), of the weights' dtype and device.

        Returns:
            The output of the last layer, (B, P). The next call writes over it: clone what is to be kept.

        Raises:
            ValueError: if the input has another shape, dtype or device.

        """
        if input.shape != self._shape or input.dtype is not self._dtype or input.device != self._device:
            raise ValueError(
                f"this stepper takes a {self._dtype} tensor of shape {tuple(self._shape)} on {self._device}, got a "
                f"{input.dtype} tensor of shape {tuple(input.shape)} on {input.device}; "
                "layer.stepper(batch) says how many rows there are"
            )
        return self._take(input if input.is_contiguous() else input.contiguous())

    @property
    def state(self) -> Hidden:
        """A copy of the state in the form that the layer returns it; setting it copies what it is set to."""
        return self._form([tuple(tensor.clone() for tensor in each) for each in self._state])

    @state.setter
    def state(self, hx: Hidden) -> None:
        given = tensors_of(hx)
        kept = tensors_of(self._form(self._state))
        shapes = [tuple(tensor.shape) for tensor in kept]
        if [tuple(tensor.shape) for tensor in given] != shapes:
            raise ValueError(
                f"the state of this stepper has the shapes {shapes} (layers, rows, features), got "
                f"{[tuple(tensor.shape) for tensor in given]}; it is what a layer returns for {shapes[0][1]} rows"
            )
        for own, new in zip(self._state, self._parse(hx), strict=True):
            for tensor, value in zip(own, new, strict=True):
                tensor.copy_(value.detach())

    def reset(self, rows: Tensor | Sequence[int] | Sequence[bool] | None = None) -> None:
        """Go back to the state that a sequence begins with: zeros, or what was learnt.

        Args:
            rows: those that begin anew, a mask of B bools or their numbers; all of them if absent.

        Raises:
            ValueError: if they are no rows of this stepper.

        """
        chosen = slice(None) if rows is None else self._checked_rows(rows)
        for each, initial in zip(self._state, self._initial, strict=True):
            for tensor, first in zip(each, initial, strict=True):
                tensor[:, chosen] = first[:, chosen]

    def _checked_rows(self, rows: Any) -> Tensor:
        """The numbers of some rows."""
        batch, given = self._shape[0], torch.as_tensor(rows, device=self._device)
        if given.dtype is torch.bool and given.shape == (batch,):
            return given.nonzero().flatten()
        whole = given.numel() == 0 or not (given.is_floating_point() or given.is_complex() or given.dtype is torch.bool)
        if whole and given.dim() == 1 and bool(((given >= 0) & (given < batch)).all()):
            return given.long()
        raise ValueError(
            f"rows of this stepper are a mask of {batch} bools, or numbers from 0 to {batch - 1}, got {rows!r}"
        )

    def __repr__(self) -> str:
        """Say what takes steps of how many rows, and what its matrices are kept as."""
        kept = self._dtype if self._storage is None else self._storage
        sizes = tuple(each[-1].shape[-1] for each in self._state)
        hidden = sizes if len(set(sizes)) > 1 else sizes[0]
        said = f"{self._cell.name}, {self._shape[1]}, {hidden}, num_layers={len(sizes)}"
        return f"Stepper({said}, batch={self._shape[0]}, weights={kept})"


def _adding(takes: list[Callable[[Tensor], Tensor]]) -> Callable[[Tensor], Tensor]:
    """One step of layers that add their input to their output, but for the first."""

    def take(input: Tensor) -> Tensor:
        value = takes[0](input)
        for each in takes[1:]:
            value = each(value) + value
        return value

    return take


def checked_storage(weights: torch.dtype | None, own: torch.dtype) -> torch.dtype | None:
    """What a stepper keeps its matrices as; None for what they are.

    Raises:
        UsageError: if it is asked for another type than there is.

    """
    if weights is None or weights is own:
        return None
    if own is torch.float32 and weights in STORAGE:
        return weights
    others = ", in " + " or ".join(map(str, STORAGE)) if own is torch.float32 else ""
    raise UsageError(f"a stepper of a layer of {own} keeps its weights in that type{others}; got weights={weights!r}")


def checked_batch(batch: int) -> int:
    """The number of rows of a stepper.

    Raises:
        UsageError: if it is not a positive integer.

    """
    if not isinstance(batch, int) or batch < 1:
        raise UsageError(f"a stepper takes a positive number of rows, got {batch!r}")
    return batch
