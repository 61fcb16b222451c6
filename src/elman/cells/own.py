"""A cell of a user's own by name: `module:Class`, as a run keeps it, with what its step makes of some numbers.

It does not know runs: the code is the user's, and stays where it is.
"""

import importlib
import math
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from elman.cells.base import Cell
from elman.cells.declaration import checked
from elman.errors import ElmanError, UsageError
from elman.randomness import seeded

INPUT = 8
SIZES = (0.1, 0.5, 1.0, 4.0)
"""How large the numbers are in each row that a step is tried with."""

Outcome = list[float | None]
"""What came of a trial; None stands for what is not finite."""


@cache
def own(name: str) -> Cell:
    """Import it, from the working directory first, as Python does for scripts.

    Raises:
        ElmanError: if it cannot be imported here, as where a run is opened that was trained elsewhere.
        UsageError: if it is no cell.

    """
    module, _, place = name.partition(":")
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        found = getattr(importlib.import_module(module), place)
        cell = found() if isinstance(found, type) else found
    except Exception as error:  # whatever a user's module may raise
        raise ElmanError(
            f"the cell {name!r} cannot be had ({type(error).__name__}: {error}); have a module {module} in the working "
            f"directory or on Python's path, and in it {place}, a class derived from elman.Cell or a cell of one"
        ) from error
    finally:
        sys.path.remove(here)
    if not isinstance(cell, Cell):
        raise UsageError(f"{name!r} is no cell but of {type(cell).__name__}; derive the class from elman.Cell")
    return checked(cell)


def tried(cell: Cell, hidden: int) -> Outcome:
    """What a step, and what it derives, makes of fixed numbers: alike for cells that compute the same.

    Nothing where it makes something else of them each time, or cannot be tried with them.
    """
    try:
        found = [_tried(cell, hidden, least) for _ in range(2) for least in (-1.0, 0.0)]  # roots know no negative ones
    except Exception:  # whatever a user's step may raise  # noqa: BLE001
        return []
    first, again = found[0] + found[1], found[2] + found[3]
    return first if alike(first, again) else []


def alike(some: Sequence[float | None], others: Sequence[float | None]) -> bool:
    """Whether two trials came to the same, but for rounding."""
    return len(some) == len(others) and all(map(_close, some, others))


def _close(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9)


def _tried(cell: Cell, hidden: int, least: float) -> Outcome:
    """A number for each state and row, of weights and inputs from `least` to 1."""

    def drawn(*shape: int) -> Tensor:
        return torch.empty(shape, dtype=torch.float64, device="cpu").uniform_(least, 1.0)

    with seeded(0), torch.enable_grad():  # as in training: a step may ask
        sizes, each = cell.state_sizes(hidden), torch.tensor(SIZES, dtype=torch.float64, device="cpu").unsqueeze(1)
        shapes = cell.shapes(INPUT, hidden).values()
        parameters = [None if shape is None else drawn(*shape) / math.sqrt(hidden) for shape in shapes]
        masks = [torch.ones_like(each).expand(-1, sizes[mask.state]) for mask in cell.masks]
        weights = cell.derive(cell.bundle([*parameters, *masks]))
        state = tuple(each * drawn(len(SIZES), size) for size in sizes)
        after = cell.step(cell.project(each * drawn(len(SIZES), INPUT), weights), state, weights)
        sums = [(tensor * drawn(tensor.shape[-1])).sum(-1).tolist() for tensor in after]
    return [number if math.isfinite(number) else None for row in sums for number in row]
