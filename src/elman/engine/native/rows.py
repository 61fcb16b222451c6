"""The rows of a batch as the runtime takes them: which steps are real, and where they lie in the caller's tensors.

It does not know what is computed on them.
"""

from typing import Any

import torch
from torch import Tensor

from elman.engine.native.library import library, memory
from elman.engine.packing import Packing


class Rows:
    """Which steps there are, and where they lie in the caller's tensors.

    Attributes:
        steps: T.
        count: rows, at least one step each.
        real: how many steps there are in all.
        packing: between the caller's padded rows and packed ones; None if all rows are full, or packed already.

    """

    def __init__(
        self, input: Tensor, batch: int, lengths: Tensor | None, sizes: Tensor | None, reset: Tensor | None
    ) -> None:
        packing = None
        if sizes is not None:
            packing = Packing.from_batch_sizes(sizes, input.device)
        elif lengths is not None:
            if int(lengths.min()) < 0 or int(lengths.max()) > len(input):
                raise ValueError(f"lengths must lie between 0 and T = {len(input)}, got {lengths.tolist()}")
            packing = Packing.from_lengths(lengths, len(input), input.device)
        self.steps, self.count = (
            (len(input), batch) if packing is None else (len(packing.batch_sizes), len(packing.rows))
        )
        self.real = self.steps * self.count if packing is None else len(packing.index)
        self.packing = packing if sizes is None else None
        self._order = packing
        self._lengths = None if packing is None else packing.lengths[packing.rows]
        self._fresh = None if reset is None else self._fresh_steps(reset, packing)

    def batch(self, direction: int) -> Any:
        """The same, for the runtime."""
        fresh = 0 if self._fresh is None else self._fresh[direction].data_ptr()
        lengths = 0 if self._lengths is None else self._lengths.data_ptr()
        return library().Batch(self.steps, self.count, lengths, fresh, direction == 1)

    def masked(self, mask: Tensor) -> Tensor:
        """A mask as the runtime reads it: (B, ·) with rows in its order, or (T, B, ·) with real steps only."""
        order = self._order
        if order is None:
            return mask.contiguous()
        return packed_rows(order, mask) if mask.dim() == 3 else mask.index_select(0, order.rows)

    def _fresh_steps(self, starts: Tensor, packing: Packing | None) -> tuple[Tensor, Tensor]:
        """For each direction, before which steps the state is zeroed: (T, B) bool."""
        if packing is not None:
            real = torch.arange(packing.shape[0])[:, None] < packing.lengths
            starts = (starts & real)[: self.steps, packing.rows]
        later = torch.cat([starts[1:], torch.zeros_like(starts[:1])])
        return starts.contiguous(), later.contiguous()


def packed_rows(packing: Packing, padded: Tensor) -> Tensor:
    """(T, B, F) -> (real steps, F), on memory that is used again; one row for all stays one."""
    features = padded.shape[-1]
    if not any(padded.stride()[:-1]):
        return padded[0, 0].as_strided((len(packing.index), features), (0, 1))
    rows = padded.flatten(0, 1)
    return torch.index_select(rows, 0, packing.index, out=memory((len(packing.index), features), padded))


def padded_rows(packing: Packing, packed: Tensor) -> Tensor:
    """(real steps, F) -> (T, B, F), zero beyond each row's length, on memory that is used again."""
    steps, batch = packing.shape
    whole = memory((steps * batch, packed.shape[-1]), packed).zero_()
    return whole.index_put_((packing.index,), packed).view(steps, batch, -1)  # index_copy_ takes half as long again
