"""Between a caller's arguments and the engine's: the state in torch.nn's form, and `lengths` and `reset`.

It does not know layers or weights.
"""

from collections.abc import Sequence
from numbers import Real
from typing import Any, NamedTuple

import torch
from torch import Tensor

from elman.cells import Cell
from elman.engine.packing import Packing
from elman.engine.watching import transformed
from elman.errors import UsageError
from elman.types import State

Hidden = Any
"""A state in torch.nn's form: the tensor itself where there is one only, the tuple (h, c) for LSTM."""

Lengths = Tensor | Sequence[int] | int
"""How many steps of each row are real; a single integer for a sequence without a batch."""


class Given(NamedTuple):
    """The arguments of a call, checked, time first, with the state by layer.

    Attributes:
        input: (T, B, I), or packed (N, I).
        state: for each layer, tensors (D, B, ·).
        batch_sizes: of packed input, else None.
        lengths: of padded rows, or None.
        reset: (T, B), or None.

    """

    input: Tensor
    state: list[State]
    batch_sizes: Tensor | None = None
    lengths: Tensor | None = None
    reset: Tensor | None = None

    @property
    def steps(self) -> int:
        """T."""
        return len(self.input) if self.batch_sizes is None else len(self.batch_sizes)

    def packing(self) -> Packing | None:
        """Which steps are real; None if all are."""
        return Packing.of(self.input, self.batch_sizes, self.lengths)


def as_state(hx: Hidden, cell: Cell) -> State:
    """torch.nn's form of a state as a tuple.

    Raises:
        RuntimeError: if it has more tensors than the cell.

    """
    count = len(cell.states)
    if count == 1:
        return (hx,)
    # Indexed as torch does it: a lone h given to an LSTM then fails with torch's message.
    state = (hx[0], hx[1], *hx[2:])
    if len(state) > count:
        expected = "two" if count == 2 else count
        raise RuntimeError(
            f"{cell.name} expects {expected} hidden states; hx has {len(state)} tensors, not ({', '.join(cell.states)})"
        )
    return state


def as_hidden(state: State) -> Hidden:
    """A state in torch.nn's form."""
    return state[0] if len(state) == 1 else state


def tensors_of(hx: Hidden) -> list[Tensor]:
    """The tensors of a state in a caller's form, also by layer, in order."""
    return [hx] if isinstance(hx, Tensor) else [tensor for part in hx for tensor in tensors_of(part)]


def selected(state: list[State], rows: Tensor | None) -> list[State]:
    """The state with its rows in another order."""
    if rows is None:
        return state
    return [tuple(tensor.index_select(1, rows) for tensor in each) for each in state]


def torch_name(cell: Cell) -> str:
    """The name that torch.nn's messages begin with: RNN, GRU or LSTM."""
    return cell.name.partition("-")[0].upper()


def other_batch(given: int, batch: int) -> str:
    """What to do with a state of so many rows where the input has `batch`, to go after a message."""
    if given == 1:
        return f"; one row's state serves {batch} rows as tensor.expand(-1, {batch}, -1)"
    if given > batch:
        return f"; the input has {batch} rows: select those of the state that they go on with, as tensor[:, rows]"
    return f"; the input has {batch} rows: append zeros for those that begin anew, or leave hx out to begin all anew"


def checked_probability(name: str, value: Any, *, below_one: bool = False) -> float:
    """A probability among the arguments of a constructor.

    Raises:
        UsageError: if it is none, or 1 where it must be less.

    """
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= 1 or (below_one and value == 1):
        least = "from 0 up to, not including, 1" if below_one else "from 0 to 1"
        raise UsageError(f"{name}={value!r} is no probability; give a number {least}")
    return float(value)


def checked_lengths(lengths: Lengths | None, steps: int, batch: int) -> Tensor | None:
    """(B,) int64 on the CPU; None if every row is full, as there is nothing to be done then.

    It is a copy: backward reads it again, when the caller may have written the next batch's lengths over the tensor.

    Raises:
        ValueError: if `lengths` are not B integers from 0 to T.

    """
    if lengths is None:
        return None
    try:
        given = torch.as_tensor(lengths, device="cpu")
    except (RuntimeError, TypeError, ValueError) as error:  # torch's own, which say nothing of lengths
        kind = type(lengths).__name__
        raise ValueError(f"lengths must be integers in a list or a tensor, got a {kind}: {error}") from None
    if (given.is_floating_point() or given.is_complex() or given.dtype == torch.bool) and given.numel():  # [] is float
        raise ValueError(f"lengths must be integers, got {given.dtype}. Convert them, for instance: lengths.long()")
    if given.dim() > 1 or given.numel() != batch:
        raise ValueError(
            f"lengths must be one integer for each row of the batch, shape ({batch},), got shape {tuple(given.shape)}. "
            "A row without any step has length 0."
        )
    known = given.detach().reshape(batch).to("cpu", torch.int64, copy=True)
    if torch.compiler.is_compiling() or transformed():
        return known  # neither a graph nor torch.vmap lets one look at values; the engine does when it runs
    outside = ((known < 0) | (known > steps)).nonzero()
    if len(outside):
        row = int(outside[0])
        raise ValueError(
            f"lengths must lie between 0 and the input's number of time steps, {steps}, got {int(known[row])} for row "
            f"{row}. Check that time is the dimension that you mean: batch_first says which one it is."
        )
    return None if bool((known == steps).all()) else known


def checked_reset(reset: Tensor | None, input: Tensor) -> Tensor | None:
    """A copy of `reset` on the input's device, for the same reason.

    Raises:
        ValueError: if it is not a bool tensor of the input's shape without features.

    """
    if reset is None:
        return None
    if not isinstance(reset, Tensor) or reset.dtype != torch.bool:
        kind = reset.dtype if isinstance(reset, Tensor) else type(reset).__name__
        raise ValueError(f"reset must be a bool tensor, got {kind}. Convert it, for instance: reset.bool()")
    if reset.shape != input.shape[:-1]:
        raise ValueError(
            f"reset must have the input's shape without features, {tuple(input.shape[:-1])}, got {tuple(reset.shape)}."
        )
    return reset.to(input.device, copy=True)
