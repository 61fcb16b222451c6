"""Packed weights, kept for as long as the weights live and stay what they are.

Packing costs about a percent of a training step, and more than everything else when there is one step of one row. What
is kept is used again if the weights are the same tensors, of the same version, and numbers at 64 places of each have
not changed: writing through `tensor.data` counts no version.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple
from weakref import ref

from torch import Tensor


class Entry(NamedTuple):
    """Packed weights, and what they were made from."""

    weights: tuple[ref[Tensor], ...]
    versions: tuple[int, ...]
    packed: Any


_entries: dict[tuple[int, ...], Entry] = {}


def packed(numbers: Any, program: Any, weights: Sequence[Tensor], inputs: int, vectors: int, threads: int) -> Any:
    """Weights as the runtime multiplies with them.

    Args:
        numbers: the runtime's part for their type of number.
        program: that they are packed for.
        weights: contiguous, in the order of the program's parameters.
        inputs: I.
        vectors: the width of a panel.
        threads: that may take part.

    """
    key = (id(program), vectors, *map(id, weights))
    versions = tuple([-1 if tensor.is_inference() else tensor._version for tensor in weights])  # noqa: SLF001
    addresses = [tensor.data_ptr() for tensor in weights]
    entry = _entries.get(key)
    if entry is not None and entry.versions == versions and entry.packed.made_of(addresses):
        return entry.packed
    made = numbers.Weights(program, inputs, addresses, vectors, threads)

    def forget(_: ref[Tensor]) -> None:
        _entries.pop(key, None)

    _entries[key] = Entry(tuple([ref(tensor, forget) for tensor in weights]), versions, made)
    return made


def clear() -> None:
    """Forget them all."""
    _entries.clear()
