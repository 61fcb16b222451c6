"""Holding rows out: which rows of a table are learnt from, and which only measured; and some of many to look at.

It knows rows by number alone.
"""

import numpy as np

from elman.data.ragged import Integers


def split(count: int, share: float, seed: int, groups: Integers | None = None) -> tuple[Integers, Integers]:
    """Divide rows 0 ... count-1 at random into those to learn from and those held out, each in rising order.

    Args:
        count: N.
        share: of the rows that are held out; at least one is.
        seed: of the draw.
        groups: (N,), a group for each row: each gives its share, and keeps at least one row to learn from.
    """
    order = np.random.default_rng(seed).permutation(count)
    of = np.zeros(count, np.int64) if groups is None else groups[order]
    held: list[Integers] = []
    owed, share = 0.0, max(share, 1 / count)
    for rows in np.split(order[np.argsort(of, kind="stable")], np.cumsum(np.bincount(of))[:-1]):
        owed += share * len(rows)
        taken = min(round(owed), max(0, len(rows) - 1))
        owed -= taken
        held.append(rows[:taken])
    out = np.sort(np.concatenate(held))
    return np.setdiff1d(np.arange(count), out), out


def spread(count: int, most: int) -> Integers:
    """So many of rows 0 ... count-1, from all over; all of them if there are no more."""
    return np.linspace(0, count - 1, min(count, most)).astype(np.int64)
