"""A cell over time by itself: its gates are given, and so are its weights.

It does not know where these come from, nor which backend runs it.
"""

from collections.abc import Mapping

from torch import Tensor

from elman import engine
from elman.cells import Cell
from elman.cells.weights import weights_type
from elman.engine import Call
from elman.engine.watching import untraced
from elman.errors import UsageError
from elman.layers.arguments import Lengths, checked_lengths, checked_reset
from elman.layers.recurrent import as_cell
from elman.types import State


def scan(
    cell: str | Cell | type[Cell],
    projected: Tensor,
    state: State | None = None,
    *,
    weights: Mapping[str, Tensor] | None = None,
    lengths: Lengths | None = None,
    reset: Tensor | None = None,
) -> tuple[Tensor, State]:
    """A cell over gates that are given: `elman.Recurrent` without its projection, and without parameters of its own.

    It is differentiable, as often as wanted. For the gradient it keeps the states of every step; if these take 1 GiB
    and the native engine runs it, those of √T steps, of which it makes the others again. `torch.compile` keeps all.

    Args:
        cell: its name, or a `Cell`, or a class of cells that takes no arguments; without a recurrent matrix.
        projected: what every step reads, (T, B, G*H + K): the G gates of the cell side by side, and behind them its K
            numbers, if it has any.
        state: the states before the first step, (B, H) each; zeros if absent.
        weights: the cell's `parameters` by name, but for those that make its numbers.
        lengths: of the rows, as for `elman.Recurrent`.
        reset: bool, (T, B): True says that the step begins with zeros.

    Returns:
        The first state after every step, (T, B, H), and all states after the last, (B, H) each.

    Raises:
        UsageError: if the cell has a recurrent matrix, or other parameters than those given.
        ValueError: if shapes or dtypes do not fit together.

    """
    known = as_cell(cell)
    if known.recurrent_gates:
        raise UsageError(f"the cell '{known.name}' multiplies its state with a matrix; take elman.Recurrent for it")
    hidden, weights = _hidden(known, projected), weights or {}
    own = _weights(known, hidden, projected, weights)
    steps, batch, _ = projected.shape
    sizes = [(batch, size) for size in known.state_sizes(hidden)]
    initial = tuple(projected.new_zeros(size) for size in sizes) if state is None else tuple(state)
    if [tensor.shape for tensor in initial] != sizes:
        shapes = [tuple(tensor.shape) for tensor in initial]
        raise ValueError(f"state must be a tensor for each of {known.states}, of the shapes {sizes}, got {shapes}")
    _make_type(tuple(known.recurrent_gates), (*known.parameters, *[mask.name for mask in known.masks]))
    call = Call(
        known,
        (known.derived(known.bundle(own.get(name) for name in known.fields)),),
        projected,
        tuple(tensor.unsqueeze(0) for tensor in initial),
        lengths=checked_lengths(lengths, steps, batch),
        reset=checked_reset(reset, projected),
    )
    _check_dtypes({"projected": projected, **dict(zip(known.states, initial, strict=True)), **weights})
    output, final = engine.run(call)
    return output, tuple(tensor.squeeze(0) for tensor in final)


@untraced
def _make_type(recurrent_gates: tuple[str, ...], own: tuple[str, ...]) -> None:
    """Have the type of a cell's weights made, which a compiler cannot see being made."""
    weights_type(recurrent_gates, own)


def _hidden(cell: Cell, projected: Tensor) -> int:
    """H."""
    gates, numbers = len(cell.gates), sum(int(cell.parameters[name][0]) for name in cell.numbers)
    hidden = len(range((projected.shape[-1] - numbers) // gates))  # a number, where a compiler may have a symbol
    if projected.dim() != 3 or hidden < 1 or hidden * gates + numbers != projected.shape[-1]:
        raise ValueError(
            f"projected must be (T, B, {gates}*H + {numbers}) for the gates {tuple(cell.gates)} and numbers "
            f"{tuple(cell.numbers)} of the cell '{cell.name}', got {tuple(projected.shape)}"
        )
    return hidden


def _weights(cell: Cell, hidden: int, projected: Tensor, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """By field. What projects an input has no columns."""
    shapes = cell.shapes(0, hidden, bias=False)
    wanted = [name for name in cell.parameters if name not in cell.numbers]
    if set(weights) != set(wanted):
        raise UsageError(
            f"the cell '{cell.name}' has the parameters {wanted}, got {list(weights)}; give each in weights by name"
        )
    for name, tensor in weights.items():
        if tensor.shape != shapes[name]:
            raise ValueError(f"{name} must be {shapes[name]} where H = {hidden}, got {tuple(tensor.shape)}")
    absent = {name: projected.new_empty(shapes[name]) for name in ("ih", *cell.numbers)}  # type: ignore[arg-type]
    return {**absent, **weights}


def _check_dtypes(tensors: Mapping[str, Tensor]) -> None:
    dtypes = {name: tensor.dtype for name, tensor in tensors.items()}
    if len(set(dtypes.values())) > 1:
        raise ValueError(f"all tensors must have one dtype, got {dtypes}; convert them")
