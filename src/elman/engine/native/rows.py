"""The rows of a batch as the runtime takes them: which steps are real, and where they lie in the caller's tensors.

It does not know what is computed on them.
"""

from typing import Any

import torch
from torch import Tensor

from elman.engine.native.library import library, memory


class Rows:
    """Which steps there are, and where they lie in the caller's tensors.

    Attributes:
        steps: the greatest length.
        count: rows, at least one step each.
        real: how many steps there are in all.
        chosen: the caller's rows that have any step, the longest first; None if all rows are full, or packed already.

    """

    def __init__(
        self, input: Tensor, batch: int, lengths: Tensor | None, sizes: Tensor | None, reset: Tensor | None
    ) -> None:
        self.shape = (len(input) if sizes is None else len(sizes), batch)
        self.steps, self.count = self.shape
        self.real = self.steps * batch
        self.chosen: Tensor | None = None
        self._order: Tensor | None = None
        self._lengths: Tensor | None = None
        if sizes is not None:
            lengths = (sizes[:, None] > torch.arange(batch, device=sizes.device)).sum(0)
        if lengths is not None:
            falling, self._order = lengths.sort(descending=True, stable=True)
            known = falling.tolist()
            if known[-1] < 0 or known[0] > self.steps:
                raise ValueError(f"lengths must lie between 0 and T = {self.steps}, got {lengths.tolist()}")
            self.steps, self.real, self.count = known[0], sum(known), len(known) - known.count(0)
            if sizes is not None and self.real != len(input):
                raise ValueError(
                    "the batch_sizes of a PackedSequence must not rise, and must add up to the rows of its data, "
                    f"{len(input)}, got {int(sizes.sum())} in {len(sizes)} steps"
                )
            self._lengths = falling[: self.count]
            if sizes is None:
                self.chosen = self._order[: self.count]
        self._fresh = None if reset is None else self._fresh_steps(reset, lengths)
        self._forward = self._batch(0)

    def batch(self, direction: int) -> Any:
        """The same, for the runtime."""
        return self._batch(direction) if direction else self._forward

    def _batch(self, direction: int) -> Any:
        fresh = 0 if self._fresh is None else self._fresh[direction].data_ptr()
        lengths = 0 if self._lengths is None else self._lengths.data_ptr()
        return library().Batch(self.steps, self.count, lengths, fresh, direction == 1)

    def packed(self, padded: Tensor) -> Tensor:
        """(T, B, F) -> (real steps, F), on memory that is used again; one row for all stays one."""
        assert self._order is not None
        features = padded.shape[-1]
        if not any(padded.stride()[:-1]):
            return padded[0, 0].contiguous().as_strided((self.real, features), (0, 1))
        if padded.stride(-1) != 1:
            padded = padded.contiguous()
        result = memory((self.real, features), padded)
        size = padded.element_size()
        time, row = padded.stride(0) * size, padded.stride(1) * size
        places = (padded.data_ptr(), time, row, self._order.data_ptr(), result.data_ptr())
        self._forward.pack(*places, features * size, torch.get_num_threads())
        return result

    def padded(self, packed: Tensor) -> Tensor:
        """(real steps, F) -> (T, B, F), zero beyond each row's length, on memory that is used again."""
        assert self._order is not None
        features = packed.shape[-1]
        result = memory((*self.shape, features), packed)
        places = (packed.data_ptr(), result.data_ptr(), *self.shape, self._order.data_ptr())
        self._forward.unpack(*places, features * packed.element_size(), torch.get_num_threads())
        return result

    def masked(self, mask: Tensor) -> Tensor:
        """A mask as the runtime reads it: (B, ·) with rows in its order, or (T, B, ·) with real steps only."""
        if self._order is None:
            return mask.contiguous()
        return self.packed(mask) if mask.dim() == 3 else mask.index_select(0, self._order[: self.count])

    def _fresh_steps(self, starts: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
        """For each direction, before which steps the state is zeroed: (T, B) bool."""
        if lengths is not None and self._order is not None:
            real = torch.arange(self.shape[0], device=lengths.device)[:, None] < lengths
            starts = (starts & real)[: self.steps, self._order[: self.count]]
        later = torch.cat([starts[1:], torch.zeros_like(starts[:1])])
        return torch.cat([starts]), later.contiguous()  # a copy: what torch.func wrapped has no address
