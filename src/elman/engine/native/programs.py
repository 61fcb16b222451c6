"""Cells by name, and their programs: compiled once for each cell and shape of weights, kept as the runtime has them.

A torch operator takes numbers, strings and tensors, so there a cell goes by its handle.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from elman.cells import CELLS, Cell
from elman.engine.native.library import library, numbers
from elman.engine.program import Compiled, UntraceableError, compile_cell
from elman.engine.program.contract import Source, Width
from elman.engine.program.encode import Program
from elman.errors import UsageError

_cells: dict[str, Cell] = dict(CELLS)
_OF_THE_REGISTRY = {id(cell): name for name, cell in CELLS.items()}  # found at once; they live as long as the process


def handle(cell: Cell) -> str:
    """The name of a cell for `cell_of`: one for all equal cells, and the same in every process for the registry's."""
    if id(cell) in _OF_THE_REGISTRY:
        return _OF_THE_REGISTRY[id(cell)]
    for name, known in _cells.items():
        if known == cell:
            return name
    name = f"{type(cell).__module__}.{type(cell).__qualname__}"
    unique = name if name not in _cells else f"{name}#{len(_cells)}"
    _cells[unique] = cell
    return unique


def cell_of(name: str) -> Cell:
    """The cell of a handle.

    Raises:
        UsageError: if no cell of that handle was seen in this process: an exported program came before its cell.

    """
    if name not in _cells:
        raise UsageError(
            f"the cell {name!r} is not known here; import the module that defines it and use it once first"
        )
    return _cells[name]


@dataclass(frozen=True)
class Programs:
    """A cell compiled for weights of given shapes, and its programs as the runtime keeps them."""

    compiled: Compiled
    training: Any
    inference: Any
    backward: Any

    def tape_size(self, dtype: torch.dtype, steps: int) -> int:
        """The size of the tape of one direction, in numbers; `steps` may be a symbol."""
        fixed, one = self._tape_sizes[dtype]
        return fixed + steps * (one - fixed)

    @cached_property
    def _tape_sizes(self) -> dict[torch.dtype, tuple[int, int]]:
        return {
            dtype: (numbers(dtype).Tape.size(self.training, 0), numbers(dtype).Tape.size(self.training, 1))
            for dtype in (torch.float32, torch.float64)
        }

    @property
    def hidden(self) -> int:
        """H, the number of features of a gate."""
        return self.compiled.tables.sizes[Width.H]

    @property
    def output(self) -> int:
        """P, the number of features of the output."""
        return self.compiled.tables.sizes[Width.P]

    def packed_for(self, program: Any) -> Any:
        """The program whose packed weights this one uses: inference and training share them if their products agree."""
        return self.training if program is self.inference and self._alike else program

    @cached_property
    def _alike(self) -> bool:
        return _sources(self.compiled.training) == _sources(self.compiled.inference)

    @cached_property
    def present(self) -> tuple[int, ...]:
        """Where the parameters are among the cell's fields, in the order of the programs."""
        return tuple(self.compiled.cell.fields.index(name) for name in self.compiled.parameters)

    @cached_property
    def masks(self) -> tuple[int, ...]:
        """The same of masks."""
        cell = self.compiled.cell
        return tuple(cell.fields.index(mask.name) for mask in cell.masks)


Shapes = tuple[tuple[int, ...] | None, ...]
"""Of a cell's fields; of a mask as if it had one row."""

_programs: dict[tuple[str, Shapes, bool], Programs | UntraceableError] = {}


def shapes_of(cell: Cell, weights: Sequence[Tensor | None]) -> Shapes:
    """The shapes of the weights of one direction."""
    found: list[tuple[int, ...] | None] = [None if tensor is None else tensor.shape for tensor in weights]
    for k in range(len(found) - len(cell.masks), len(found)):
        found[k] = (1, found[k][-1])  # type: ignore[index]
    return tuple(found)


def parameters(cell: Cell, weights: Sequence[Tensor | None]) -> list[Tensor | None]:
    """A layer's tensors, all fields of the cell for each direction, with None in place of masks."""
    size, masks = len(cell.fields), len(cell.masks)
    return [tensor if k % size < size - masks else None for k, tensor in enumerate(weights)]


def programs(name: str, shapes: Shapes, *, detail: bool = False) -> Programs:
    """The programs of the cell of a handle, made at the first call for weights of these shapes.

    With `detail`, gradients arrive at every state of every step, and backward tells the whole gradient of each.

    Raises:
        UntraceableError: if the step does what no program can contain.

    """
    found = _programs.get((name, shapes, detail))
    if found is None:
        found = _programs[name, shapes, detail] = _made(name, shapes, detail=detail)
    if isinstance(found, UntraceableError):
        raise found
    return found


def _made(name: str, shapes: Shapes, *, detail: bool) -> Programs | UntraceableError:
    library()
    cell = cell_of(name)
    weights = cell.bundle(None if shape is None else torch.empty(shape, device="meta") for shape in shapes)
    masks = tuple(mask.name for mask in cell.masks)
    try:
        compiled = compile_cell(cell, weights, extras=masks, every_state=detail, adjoints=detail)
    except UntraceableError as error:
        return error
    return Programs(compiled, *map(load, (compiled.training, compiled.inference, compiled.backward)))


def _sources(program: Program) -> list[Source]:
    return [source for each in program.passes for product in each.products for source, _ in product.sources]


def load(program: Program) -> Any:
    """A program as the runtime keeps it."""
    ints, reals = program.ints, program.reals
    return library().Program(ints.ctypes.data, len(ints), reals.ctypes.data, len(reals))
