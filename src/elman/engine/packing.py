"""The real steps of a padded batch, in the order in which torch packs them: by time, the longest rows first.

It knows nothing of cells. torch's dropout draws in this order; the native engine makes the same order by itself
(`native/rows.py`), without the positions of all steps.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Packing:
    """A map between padded (T, B, F) and packed (real steps, F).

    Attributes:
        shape: (T, B) of the padded batch.
        lengths: (B,) int64 on the CPU, in the order of the padded rows.
        rows: the rows that have any step, longest first: positions in B.
        index: positions of the real steps in the flattened (T*B).
        batch_sizes: (longest,) int64 on the CPU: how many rows reach each step.

    """

    shape: tuple[int, int]
    lengths: Tensor
    rows: Tensor
    index: Tensor
    batch_sizes: Tensor

    @classmethod
    def of(cls, input: Tensor, batch_sizes: Tensor | None, lengths: Tensor | None) -> "Packing | None":
        """The packing of a call's input: packed (N, I) with batch sizes, or padded (T, B, I); None if all is real."""
        if batch_sizes is not None:
            return cls.from_batch_sizes(batch_sizes, input.device)
        return None if lengths is None else cls.from_lengths(lengths, len(input), input.device)

    @classmethod
    def from_lengths(cls, lengths: Tensor, steps: int, device: torch.device) -> "Packing":
        """The packing of a batch padded to `steps` whose rows have these lengths, (B,) int64 on the CPU."""
        ordered, rows = lengths.sort(descending=True, stable=True)
        rows = rows[ordered > 0]
        time = torch.arange(steps, device=lengths.device)[:, None]
        real = time < lengths[rows]
        index = (time * len(lengths) + rows)[real]
        batch_sizes = real.sum(1)
        shape = (steps, len(lengths))
        return cls(shape, lengths, rows.to(device), index.to(device), batch_sizes[batch_sizes > 0])

    @classmethod
    def from_batch_sizes(cls, batch_sizes: Tensor, device: torch.device) -> "Packing":
        """The packing of a torch PackedSequence; the padded rows keep its order."""
        lengths = (batch_sizes[:, None] > torch.arange(int(batch_sizes[0]), device=batch_sizes.device)).sum(0)
        return cls.from_lengths(lengths, len(batch_sizes), device)

    def pack(self, padded: Tensor) -> Tensor:
        """(T, B, F) -> (real steps, F)."""
        return padded.flatten(0, 1).index_select(0, self.index)

    def unpack(self, packed: Tensor) -> Tensor:
        """(real steps, F) -> (T, B, F), zero beyond each row's length."""
        steps, batch = self.shape
        zeros = packed.new_zeros(steps * batch, packed.shape[-1])
        return zeros.index_copy(0, self.index, packed).view(steps, batch, packed.shape[-1])
