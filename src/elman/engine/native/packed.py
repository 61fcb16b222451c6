"""Packed weights, kept for as long as the weights live and stay what they are.

Packing costs about a percent of a training step, and more than everything else when there is one step of one row. What
is kept is used again if the weights are the same tensors at the same place, of the same version, and hold the same
numbers: writing through `tensor.data` or numpy counts no version. A hash of all bits tells; for single steps without
gradients a look at 32 places of each must do where they exceed 32 KiB, as reading them takes as long as the step.
"""

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any, NamedTuple
from weakref import ref

from torch import Tensor


class Storage(IntEnum):
    """How the runtime keeps matrices: of PAIRS it multiplies bfloat16 with bfloat16."""

    OWN = 0
    BFLOAT16 = 1
    INT8 = 2
    PAIRS = 3


class Entry(NamedTuple):
    """Packed weights, and what they were made from.

    Attributes:
        weights: the tensors.
        seen: where their numbers were when they were packed, and of which version.
        addresses: where they were.
        packed: as the runtime has them.

    """

    weights: tuple[ref[Tensor], ...]
    seen: list[tuple[int, int]]
    addresses: list[int]
    packed: Any


_entries: dict[tuple[int, ...], dict[tuple[Any, tuple[int, int], Storage], Entry]] = {}
"""By the ids of the weights, then by program, what their columns are cut by, and storage. A program lives as long as
what is packed for it, so that none is taken for another that lay at its address."""
MOST = 32
"""So many are kept of the same weights: a cell whose attribute changes has other programs every time."""


def packed(
    numbers: Any,
    program: Any,
    weights: Sequence[Tensor],
    inputs: int,
    plan: Any,
    threads: int,
    storage: Storage = Storage.OWN,
) -> Entry:
    """Weights as the runtime multiplies with them.

    Args:
        numbers: the runtime's part for their type of number.
        program: that they are packed for.
        weights: contiguous, in the order of the program's parameters.
        inputs: I.
        plan: how what multiplies them is cut.
        threads: that may take part.
        storage: how matrices are kept.

    """
    cut = (plan.vectors, plan.threads if plan.columns else 1)
    key, use = tuple(map(id, weights)), (program, cut, storage)
    kept = _entries.setdefault(key, {})
    entry, known = kept.get(use), False
    if entry is not None and entry.seen == _seen(weights):
        if entry.packed.holds(entry.addresses, threads):
            return entry
        known = True

    def forget(_: ref[Tensor]) -> None:
        _entries.pop(key, None)

    if len(kept) >= MOST:
        kept.pop(list(kept)[0], None)  # noqa: RUF015 - a copy, as another thread may be adding to it
    entry = kept[use] = once(numbers, program, weights, inputs, plan, threads, storage, forget)
    if known:  # for the second time in this version, so there may be a third; in training there is not
        entry.packed.take_hash(entry.addresses, threads)
    return entry


def once(
    numbers: Any,
    program: Any,
    weights: Sequence[Tensor],
    inputs: int,
    plan: Any,
    threads: int,
    storage: Storage,
    forget: Callable[[ref[Tensor]], None] | None = None,
) -> Entry:
    """The same, not kept for others; `forget` is called when one of the weights is no more."""
    seen = _seen(weights)
    addresses = [address for address, _ in seen]
    made = numbers.Weights(program, inputs, addresses, plan, threads, storage)
    return Entry(tuple([ref(tensor, forget) for tensor in weights]), seen, addresses, made)


def _seen(weights: Sequence[Tensor]) -> list[tuple[int, int]]:
    """Where the numbers of weights are, and of which version they are."""
    try:
        return [(tensor.data_ptr(), tensor._version) for tensor in weights]
    except RuntimeError:  # an inference tensor counts no versions
        return [(tensor.data_ptr(), -1) for tensor in weights]


def clear() -> None:
    """Forget them all."""
    _entries.clear()
