"""States that calls have returned, found again where a module hands them on to the next call.

A returned state is used in two ways: by the next call, and by whatever reads it as an output. To tell them apart, the
module is shown a view of the state, and a next call that is given this view takes the state itself, also where rows
were set to zero on the way, as agents do where an episode ends: h * (1 - done). It does not know layers.
"""

from typing import Any

import torch
from torch import Tensor


class Handed:
    """What a module was shown, and the states themselves."""

    def __init__(self) -> None:
        self._by_id: dict[int, tuple[Tensor, int, Tensor]] = {}  # what was shown, kept alive; its version; the state
        self._by_node: dict[Any, Tensor] = {}

    def show(self, view: Tensor, own: Tensor) -> Tensor:
        """Remember what stands for a state, and return it."""
        self._by_id[id(view)] = view, view._version, own
        if view.grad_fn is not None:
            self._by_node[view.grad_fn] = own
        return view

    def own(self, tensor: Tensor) -> Tensor:
        """The state itself, with the same rows at zero, if this is what was made of it; else the tensor as it is."""
        view, version, own = self._by_id.get(id(tensor), (None, 0, tensor))
        if view is tensor and tensor._version == version:
            return own
        origin = self._origin(tensor)
        if origin is None or origin.shape != tensor.shape or origin.dtype != tensor.dtype:
            return tensor
        same, zero = by_row(origin == tensor), by_row(tensor == 0)
        if not (same | zero).all():
            return tensor
        return origin if same.all() else origin.masked_fill(~same[:, None] if tensor.dim() > 1 else ~same, 0.0)

    def _origin(self, tensor: Tensor) -> Tensor | None:
        """The state of which a tensor was made, and of nothing else that has a gradient."""
        node = tensor.grad_fn
        while node is not None:
            if node in self._by_node:
                return self._by_node[node]
            below = [each for each, _ in node.next_functions if each is not None]
            node = below[0] if len(below) == 1 else None
        return None


def by_row(value: Tensor) -> Tensor:
    """(B,), where all of a row is true: of (..., B, ·), or of (·,), which is one row."""
    rows = value.movedim(-2, 0) if value.dim() > 1 else value.unsqueeze(0)
    return rows.flatten(1).all(1)


def anew(given: list[Tensor], before: list[Tensor]) -> Tensor | None:
    """Which rows of a state (..., B, ·) begin at zero, (B,) bool, where all others go on as the state before ended.

    None if they do not, or if none goes on.
    """
    if any(one.shape != other.shape for one, other in zip(given, before, strict=True)):
        return None
    rows = given[0].shape[-2] if given[0].dim() > 1 else 1
    if all(torch.equal(one, other) for one, other in zip(given, before, strict=True)):
        return torch.zeros(rows, dtype=torch.bool, device=given[0].device)
    if any(one.dim() < 3 for one in given):
        return None
    same = torch.stack([by_row(one == other) for one, other in zip(given, before, strict=True)]).all(0)
    zero = torch.stack([by_row(one == 0) for one in given]).all(0)
    return ~same if bool((same | zero).all()) and bool((same & ~zero).any()) else None
