"""Cells by name, and their programs: compiled once for each cell and shape of weights, kept as the runtime has them.

A torch operator takes numbers, strings and tensors, so there a cell goes by its handle.
"""

import copy
import importlib
import json
import operator
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Self
from uuid import uuid4
from weakref import ref

import torch
from torch import Tensor

from elman.cells import CELLS, Cell
from elman.engine.native.library import library, numbers
from elman.engine.program import Compiled, UntraceableError, compile_cell
from elman.engine.program.contract import Source, Width
from elman.engine.program.encode import Program
from elman.engine.watching import untraced
from elman.errors import UsageError

_cells: dict[str, Cell] = dict(CELLS)
_OF_THE_REGISTRY = {id(cell): name for name, cell in CELLS.items()}  # found at once; they live as long as the process
_classes: dict[str, type[Cell]] = {}
_PROCESS = uuid4().hex
"""Tells the handles of this process that mean nothing in others."""


class Named(NamedTuple):
    """A cell whose handle is known, and what it consisted of then."""

    cell: ref[Cell]
    parts: list[Any]
    handle: str


_named: dict[int, Named] = {}


def handle(cell: Cell) -> str:
    """The name of a cell for `cell_of`: class and attributes, so that equal cells have one, in every process.

    A cell whose attributes have changed is another one. Attributes that are no numbers, texts or cells, nor lists,
    tuples or dictionaries of these, are told apart by being other objects, in this process alone.
    """
    if (name := _OF_THE_REGISTRY.get(id(cell))) is not None:
        return name
    if torch.compiler.is_compiling():
        _parts(cell)  # which it looks at, so that what it compiles is for these alone
    return _handle(cell)


@untraced
def _handle(cell: Cell) -> str:
    known, parts = _named.get(id(cell)), _parts(cell)
    if known is not None and known.cell() is cell and _same(known.parts, parts):
        return known.handle
    found = json.dumps(_described(cell))
    if found not in _cells:
        _cells[found] = _copied(cell)
    number = id(cell)
    _named[number] = Named(ref(cell, lambda _: _named.pop(number, None)), parts, found)
    return found


def cell_of(name: str) -> Cell:
    """The cell of a handle.

    Raises:
        UsageError: if no such cell can be made here: its class is not known, or it has parts that only the process had
            which exported it.

    """
    if name not in _cells:
        _cells[name] = _made_of(json.loads(name))
    return _cells[name]


def _same(some: list[Any], others: list[Any]) -> bool:
    return len(some) == len(others) and all(map(operator.is_, some, others))


def _parts(cell: Cell) -> list[Any]:
    """The attributes of a cell, and what cells, lists, tuples and dictionaries among them hold."""
    found: list[Any] = []
    _gather(vars(cell).values(), found)
    return found


def _gather(values: Iterable[Any], found: list[Any]) -> None:
    for value in values:
        found.append(value)
        if type(value) in _PLAIN:
            continue
        if isinstance(value, Cell):
            _gather(vars(value).values(), found)
        elif isinstance(value, dict):
            _gather([*value, *value.values()], found)
        elif isinstance(value, list | tuple):
            _gather(value, found)


_PLAIN = {type(None), bool, int, float, str}
"""Most attributes, which hold nothing else: whether a value is a cell takes longer to ask."""


def _copied(value: Any) -> Any:
    """A cell with copies of all that `_parts` looks into, so that it stays what it is now."""
    match value:
        case Cell():
            other = copy.copy(value)
            vars(other).update({name: _copied(own) for name, own in vars(value).items()})
            return other
        case list():
            return [_copied(each) for each in value]
        case tuple() if type(value) is tuple:
            return tuple(_copied(each) for each in value)
        case dict():
            return {key: _copied(each) for key, each in value.items()}
    return value


def _described(value: Any) -> Any:
    """For JSON: a cell as class and attributes, a tuple as a list, another object as its place in this process.

    Lists and dictionaries, which JSON has too, are marked as such.
    """
    match value:
        case None | bool() | int() | float() | str():
            return value
        case tuple():
            return [_described(each) for each in value]
        case list():
            return {"list": [_described(each) for each in value]}
        case dict():
            return {"dict": [[_described(key), _described(each)] for key, each in value.items()]}
        case Cell():
            attributes = {name: _described(own) for name, own in sorted(vars(value).items())}
            return {"class": _name_of(type(value)), **attributes}
    return {"process": _PROCESS, "object": id(value)}


def _name_of(kind: type[Cell]) -> str:
    """Module and name of a class; of a further one of that name, as of a notebook's cell run again, with more."""
    name = f"{kind.__module__}:{kind.__qualname__}"
    if _classes.setdefault(name, kind) is not kind:
        name = f"{name}#{_PROCESS}{id(kind)}"
        _classes[name] = kind  # which is kept alive, so that no other one gets its id
    return name


def _made_of(described: Any) -> Any:
    """The value that was described."""
    match described:
        case list():
            return tuple(_made_of(each) for each in described)
        case {"class": str(kind), **attributes}:
            cell = object.__new__(_class(kind))
            vars(cell).update({str(name): _made_of(value) for name, value in attributes.items()})
            return cell
        case {"list": items}:
            return [_made_of(each) for each in items]
        case {"dict": items}:
            return {_made_of(key): _made_of(each) for key, each in items}
        case {"process": _}:
            raise UsageError(
                "an exported program has a cell with an attribute that is no number, text or cell, which only the "
                "process has that exported it; export a cell with such attributes alone"
            )
    return described


def _class(name: str) -> type[Cell]:
    """A cell's class, of a module that is there; of Elman's own in any case."""
    module, qualified = name.split(":")
    found: Any = importlib.import_module(module) if module.startswith("elman.") else sys.modules.get(module)
    for part in qualified.split("."):
        found = getattr(found, part, None)
    if not (isinstance(found, type) and issubclass(found, Cell)):
        raise UsageError(f"the cell {qualified} of an exported program is not known here; import {module} first")
    return found


@dataclass(frozen=True)
class Programs:
    """A cell compiled for weights of given shapes, and its programs as the runtime keeps them."""

    compiled: Compiled
    training: Any
    inference: Any
    backward: Any

    @classmethod
    def of(cls, compiled: Compiled) -> Self:
        """Hand them to the runtime."""
        return cls(compiled, *map(_loaded, (compiled.training, compiled.inference, compiled.backward)))

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
    def output(self) -> int:
        """P, the number of features of the output."""
        return self.compiled.tables.sizes[Width.P]

    @cached_property
    def given(self) -> int:
        """How many arrays the caller gives in place of an input: gates and numbers."""
        return len(self.compiled.extras) - len(self.masks)

    @property
    def given_numbers(self) -> int:
        """How many of these are numbers."""
        return self.given - len(self.compiled.cell.gates) if self.given else 0

    def packed_for(self, program: Any) -> Any:
        """The program whose packed weights this one uses: inference and training share them if their products agree."""
        return self.training if program is self.inference and self._alike else program

    @cached_property
    def _alike(self) -> bool:
        same = _sources(self.compiled.training) == _sources(self.compiled.inference)
        return same and self.training.joined == self.inference.joined

    @cached_property
    def adds_up_inputs(self) -> bool:
        """Whether the input's gradient is made beside sums over inputs, and so always."""
        return any(width is Width.I for width, _ in self.compiled.tables.vectors)

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
MOST = 512
"""So many are kept: a cell whose attribute changes with every update would fill the memory with them."""


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
        if len(_programs) >= MOST:
            _programs.pop(list(_programs)[0], None)  # noqa: RUF015 - a copy, as another thread may be adding to them
        found = _programs[name, shapes, detail] = _made(name, shapes, detail=detail)
    if isinstance(found, UntraceableError):
        raise found
    return found


def _made(name: str, shapes: Shapes, *, detail: bool) -> Programs | UntraceableError:
    library()
    cell = cell_of(name)
    weights = cell.bundle(None if shape is None else torch.empty(shape, device="meta") for shape in shapes)
    masks = tuple(mask.name for mask in cell.masks)
    given, columns = 0, []
    if weights.given:
        given = weights.ih.shape[0] // len(cell.gates)
        columns = [f"{name} {n}" for name in cell.numbers for n in range(len(getattr(weights, name)))]
    try:
        return Programs.of(
            compile_cell(cell, weights, extras=masks, every_state=detail, adjoints=detail, given=given, numbers=columns)
        )
    except UntraceableError as error:
        return error


def _sources(program: Program) -> list[Source]:
    return [source for each in program.passes for product in each.products for source, _ in product.sources]


def _loaded(program: Program) -> Any:
    """A program as the runtime keeps it."""
    ints, reals = program.ints, program.reals
    return library().Program(ints.ctypes.data, len(ints), reals.ctypes.data, len(reals))
