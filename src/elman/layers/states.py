"""The states of all steps of a call, as `layer(x, states=True)` returns them, and their gradients after backward.

It does not know who computed them.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from elman.cells import Cell
from elman.engine.record import Record
from elman.types import State


class States(Mapping[str, Any]):
    """By the state's name, such as "h" and "c": a tensor whose first dimension is layers * directions, like h_n's.

    Of layers of different sizes it is a list with the tensor of each layer, like h_n there. The other dimensions are
    the input's own, with the state's features in place of the input's. Beyond a row's length there are zeros. The
    tensors can be differentiated through. After a backward pass, `gradient` has the whole gradient of the loss by each
    state after each step, by way of later steps and layers too.
    """

    def __init__(self, records: list[Record], cell: Cell, *, batch_first: bool, batched: bool) -> None:
        self._records, self._cell = records, cell
        self._batch_first, self._batched = batch_first, batched
        self._sizes = len({tuple([value.shape[-1] for value in record.values]) for record in records})
        self._values = {name: self._joined([r.values for r in records], k) for k, name in enumerate(cell.states)}

    def gradient(self, name: str) -> Any:
        """The whole gradient by a state, in the state's form; None if no backward pass has come through the layers.

        With several backward passes, that of the last one; many gradients at once (`is_grads_batched`) leave none.

        Raises:
            KeyError: if the cell has no state of that name.

        """
        if name not in self._values:
            raise KeyError(f"{self._cell.name} has no state {name!r}; it has: {', '.join(self._values)}")
        gradients = [record.gradients for record in self._records]
        known = [each for each in gradients if each is not None]
        return self._joined(known, self._cell.states.index(name)) if len(known) == len(gradients) else None

    def _joined(self, layers: Sequence[State], k: int) -> Any:
        if self._sizes > 1:
            return [self._as_given(layer[k]) for layer in layers]
        return self._as_given(layers[0][k] if len(layers) == 1 else torch.cat([layer[k] for layer in layers]))

    def _as_given(self, tensor: Tensor) -> Tensor:
        """(·, T, B, ·) in the form of the input."""
        if not self._batched:
            return tensor.squeeze(2)
        return tensor.transpose(1, 2) if self._batch_first else tensor

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)
