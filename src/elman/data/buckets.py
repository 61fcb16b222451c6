"""Examples in batches of similar length, shuffled anew in every epoch, so that little of a padded batch is padding.

It knows rows by number and by length only. Its order follows from seed and epoch alone: nothing but the position need
be kept for a run to go on where it stood.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np

from elman.data.ragged import Array, Integers
from elman.data.share import WHOLE, Share

Batch = TypeVar("Batch")

POOL = 64
"""Batches whose rows are sorted by length together: enough that neighbours are alike, few enough that they vary."""
MOST = 1 << 19
"""Time steps of a batch that is scored, padding included: half a GB where each has 256 features."""
STEP = 1.15
"""Rows whose longer side differs by less than this factor are sorted by the other one. Of a table of translations 6 %
of what is written and 11 % of what is read is padding then; 16 and 18 % where rows are sorted by the sum."""


def by_both(read: Integers, written: Integers) -> Integers:
    """A number for each row, (N,), such that rows with neighbouring ones are alike in both lengths."""
    longer, other = (read, written) if read.sum() > written.sum() else (written, read)
    bins: Integers = np.floor(np.log(np.maximum(longer, 1)) / np.log(STEP)).astype(np.int64)
    return bins * (int(other.max(initial=0)) + 1) + other


class Buckets(Generic[Batch]):
    """Endless batches.

    Args:
        batch: what makes a batch of the numbers of its rows.
        lengths: time steps of each row, or what stands for them, (N,).
        size: rows in a batch, B.
        seed: of the shuffling.
    """

    def __init__(self, batch: Callable[[Integers], Batch], lengths: Array, size: int, seed: int) -> None:
        self.batch = batch
        self.lengths, self.size, self.seed = lengths, min(size, len(lengths)), seed
        self.batches = -(-len(lengths) // self.size)
        self.position = self.epoch = 0
        self._order = self._shuffled()

    @property
    def epochs(self) -> float:
        """Passes over the rows, with the begun one."""
        return self.epoch + self.position / self.batches

    @property
    def smallest(self) -> int:
        """Rows in the smallest batch."""
        return len(self.lengths) // self.batches

    def next(self, share: Share = WHOLE) -> Batch:
        """Return the share's rows of the next batch; at the end of an epoch begin anew in another order."""
        rows = self._order[self.position]
        self.position += 1
        if self.position == self.batches:
            self.position, self.epoch = 0, self.epoch + 1
            self._order = self._shuffled()
        return self.batch(share.of(rows))

    def state(self) -> dict[str, int]:
        """Return the position, for a checkpoint."""
        return {"position": self.position, "epoch": self.epoch}

    def restore(self, state: dict[str, int]) -> None:
        """Go on where `state` was taken."""
        self.position, self.epoch = state["position"], state["epoch"]
        self._order = self._shuffled()

    def _shuffled(self) -> list[Integers]:
        random = np.random.default_rng((self.seed, self.epoch))
        rows = random.permutation(len(self.lengths))
        pool = POOL * self.size
        pools = [rows[first : first + pool] for first in range(0, len(rows), pool)]
        # Every second pool falls where the others rise, so that a batch across a border is of one length too.
        ordered = [
            pool[np.argsort(self.lengths[pool], kind="stable")][:: 1 - k % 2 * 2] for k, pool in enumerate(pools)
        ]
        cuts = np.array_split(np.concatenate(ordered), self.batches)
        return [cuts[k] for k in random.permutation(self.batches)]


def in_order(lengths: Array, size: int, steps: Array | None = None) -> list[Integers]:
    """Return all rows once in batches of similar length, the longest first: for scoring.

    Args:
        lengths: by what rows are sorted, (N,).
        size: the most rows in a batch; where rows are very long, a batch has fewer.
        steps: the time steps of each row, (N,), where `lengths` are not these.
    """
    rows = np.argsort(-lengths, kind="stable")
    longest = (lengths if steps is None else steps)[rows]
    found, first = [], 0
    while first < len(rows):
        some = np.maximum.accumulate(longest[first : first + size])
        count = max(1, int((some * np.arange(1, len(some) + 1) <= MOST).sum()))
        found.append(rows[first : first + count])
        first += count
    return found
