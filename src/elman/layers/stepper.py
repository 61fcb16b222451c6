"""A prepared step for streams: one time step of all layers in one call, with the state kept in place.

It does not know which backend takes the steps.
"""

import torch
from torch import Tensor

from elman import engine
from elman.cells import Cell, Weights
from elman.errors import UsageError
from elman.layers.arguments import Hidden, as_hidden, as_state


class Stepper:
    """Takes a stack of layers one step further with every call; made by `layer.stepper(batch)`.

        stepper = layer.stepper()
        for x in stream:  # (1, I)
            y = stepper(x)  # (1, P), overwritten by the next call

    The weights are those of the moment when it was made. Nothing is recorded for gradients, and on the CPU a call
    allocates nothing. One stepper serves one thread.
    """

    def __init__(self, cell: Cell, weights: tuple[Weights, ...], state_sizes: tuple[int, ...], batch: int) -> None:
        first = weights[0].ih
        self._cell = cell
        self._shape = torch.Size((batch, first.shape[1]))
        self._dtype = first.dtype
        self._device = first.device
        depth = len(weights)
        self._state = tuple(first.new_zeros(depth, batch, size, requires_grad=False) for size in state_sizes)
        self._take = engine.prepare(cell, weights, self._state)

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
        """A copy of the state in torch.nn's form, (L, B, ·) each; setting it copies what it is set to."""
        return as_hidden(tuple(tensor.clone() for tensor in self._state))

    @state.setter
    def state(self, hx: Hidden) -> None:
        given = as_state(hx, self._cell)
        shapes = [tuple(tensor.shape) for tensor in self._state]
        if [tuple(tensor.shape) for tensor in given] != shapes:
            raise ValueError(
                f"the state of this stepper has the shapes {shapes} (layers, rows, features), got "
                f"{[tuple(tensor.shape) for tensor in given]}; it is what a layer returns for {shapes[0][1]} rows"
            )
        for tensor, new in zip(self._state, given, strict=True):
            tensor.copy_(new.detach())

    def reset(self) -> None:
        """Set the state to zeros, as at the beginning of a sequence."""
        for tensor in self._state:
            tensor.zero_()


def checked_batch(batch: int) -> int:
    """The number of rows of a stepper.

    Raises:
        UsageError: if it is not a positive integer.

    """
    if not isinstance(batch, int) or batch < 1:
        raise UsageError(f"a stepper takes a positive number of rows, got {batch!r}")
    return batch
