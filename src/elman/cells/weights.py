"""The tensors that a cell's step is given, by name: what every cell may have, and what a cell adds to that.

It does not know how a cell uses them.
"""

from collections import namedtuple
from typing import Any, NamedTuple, Self

import torch.nn.functional as F
from torch import Tensor

from elman.errors import UsageError


class Weights(NamedTuple):
    """The tensors of one layer in one direction.

    With G gates, hidden size H and a projection to P features (P = H without one):
        ih        (G*H, I)   input to gates; of no columns, I = 0, where the input comes projected
        hh        (G*H, P)   recurrent output to gates, or None if the cell has no such matmul
        bias_ih   (G*H,)     or None
        bias_hh   (G*H,)     or None
        hr        (P, H)     hidden state to recurrent output, or None for no projection

    A cell with parameters or masks of its own gets a type that has them as further fields (`weights_type`).
    """

    ih: Tensor
    hh: Tensor | None = None
    bias_ih: Tensor | None = None
    bias_hh: Tensor | None = None
    hr: Tensor | None = None

    def __getattr__(self, name: str) -> Tensor:
        """Say which fields there are."""
        raise AttributeError(f"the weights of this cell have no {name!r}; they have: {', '.join(self._fields)}")

    @property
    def given(self) -> bool:
        """Whether the input comes projected, and there is nothing to project it by."""
        return self.ih.shape[1] == 0

    def project(self, inputs: Tensor) -> Tensor:
        """The input's share of the gates, (..., I) -> (..., G*H): all time steps in one matmul."""
        return F.linear(inputs, self.ih, self.bias_ih)

    def recurrent(self, value: Tensor, *gates: str) -> Tensor:
        """The share of the gates that comes of a value, usually the previous output: (B, P) -> (B, G*H).

        With the names of gates, neighbours in the cell's order, only the share of these.
        """
        rows = self.rows(gates)
        if not gates:
            return F.linear(value, self.hh, self.bias_hh)  # type: ignore[arg-type] # `rows` has seen that it is there
        return F.linear(value, self.hh[rows], None if self.bias_hh is None else self.bias_hh[rows])  # type: ignore[index]

    def multiply(self, value: Tensor, *gates: str) -> Tensor:
        """The same without the bias."""
        rows = self.rows(gates)
        return F.linear(value, self.hh[rows] if gates else self.hh)  # type: ignore[index, arg-type]

    def rows(self, gates: tuple[str, ...]) -> slice:
        """The rows of `hh` that belong to gates, neighbours in the cell's order; all if there are no names.

        Raises:
            UsageError: if the cell has no such recurrent gates side by side, or none at all.

        """
        known: tuple[str, ...] = getattr(type(self), "recurrent_gates", ())  # that of `weights_type`
        if self.hh is None:
            raise UsageError(
                "a step multiplies with recurrent weights, but the cell has none: its recurrent_gates are ()"
            )
        if not gates:
            return slice(None)
        first = known.index(gates[0]) if gates[0] in known else 0
        if known[first : first + len(gates)] != gates:
            raise UsageError(f"a step asks for the recurrent gates {gates}, which are not side by side in {known}")
        size = self.hh.shape[0] // len(known)
        return slice(first * size, (first + len(gates)) * size)

    def inner(self, value: Tensor) -> Tensor:
        """A memory as the output sees it: the value itself. Layer normalisation puts its own in place of this."""
        return value

    def output(self, hidden: Tensor) -> Tensor:
        """What the cell shows outside, (B, H) -> (B, P): the projected hidden state, or the hidden state itself."""
        return hidden if self.hr is None else F.linear(hidden, self.hr)

    def flat(self) -> list[Tensor]:
        """The tensors that there are."""
        return [tensor for tensor in self if tensor is not None]

    def at(self, t: int) -> Self:
        """The same with the masks of time step t in place of those of all steps, (T, B, ·)."""
        now = [mask[t] if mask is not None and mask.dim() == 3 else mask for mask in self]
        return type(self)._make(now)

    def replaced(self, **tensors: Tensor | None) -> Self:
        """The same with other tensors, or none, in some fields."""
        return self._replace(**tensors)  # type: ignore[arg-type] # `ih` is never taken away


_METHODS = (
    *("given", "project", "recurrent", "multiply", "rows"),
    *("inner", "output", "flat", "at", "replaced", "__getattr__"),
)


_types: dict[tuple[tuple[str, ...], tuple[str, ...]], type[Weights]] = {}


def weights_type(recurrent_gates: tuple[str, ...], own: tuple[str, ...]) -> type[Weights]:
    """`Weights` with further fields. torch.compile can trace this only where the type is known already.

    Args:
        recurrent_gates: the names of the blocks of rows of `hh`.
        own: the names of the further fields, in order.

    """
    known = _types.get((recurrent_gates, own))
    if known is not None:
        return known
    # A named tuple itself and no class derived from one: torch.compile knows its kind.
    make: Any = namedtuple  # noqa: PYI024 - fields that are not spelt out are nothing for NamedTuple, nor for mypy
    made = make("Weights", Weights._fields + own, defaults=(None,) * (len(own) + 4))
    for name in _METHODS:
        setattr(made, name, getattr(Weights, name))
    made.recurrent_gates = recurrent_gates
    _types[recurrent_gates, own] = made
    return _types[recurrent_gates, own]
