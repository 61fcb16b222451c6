"""Whether what a cell says about itself fits together; whoever makes layers of a user's cell asks first.

It does not know the step: what that may contain is the engine's business.
"""

from collections.abc import Iterator, Mapping
from itertools import chain
from keyword import iskeyword

from elman.cells.base import Cell
from elman.cells.weights import Weights
from elman.errors import UsageError


def checked(cell: Cell) -> Cell:
    """The cell itself.

    Raises:
        UsageError: if it names what is not there, or what cannot have that name.

    """
    for mistake in chain(_of_lists(cell), _of_mentions(cell), _of_parameters(cell)):
        raise UsageError(f"the cell '{cell.name}' {mistake}")
    return cell


def _of_lists(cell: Cell) -> Iterator[str]:
    for what in ("gates", "states", "recurrent_gates", "fixed"):
        names = getattr(cell, what)
        if not isinstance(names, tuple | list) or not all(isinstance(name, str) for name in names):
            yield f"has {what} = {names!r}; write a tuple of names, such as ('a',)"
        if len(set(names)) < len(names):
            yield f"has {what} {tuple(names)}, in which a name comes twice; give each its own"
        if not names and what in {"gates", "states"}:
            yield f"has no {what}; name at least one"


def _of_mentions(cell: Cell) -> Iterator[str]:
    gates, states = ("gates", tuple(cell.gates)), ("states", tuple(cell.states))
    for name, what, (among, known) in (
        *((name, "recurrent_gates", gates) for name in cell.recurrent_gates),
        (cell.keep_gate, "keep_gate", gates),
        (cell.replace_gate, "replace_gate", gates),
        (cell.memory, "memory", states),
        *((name, "fixed", ("weights", cell.fields)) for name in cell.fixed),
    ):
        if name is not None and name not in known:
            yield f"names {name!r} in {what}, but its {among} are {known}; take one of these"


def _of_parameters(cell: Cell) -> Iterator[str]:
    if not isinstance(cell.parameters, Mapping):
        yield f"has parameters = {cell.parameters!r}; write names and shapes, such as {{'v': ('H',)}}"
    layers = {f"weight_{field}" for field in ("ih", "hh", "hr")} | {f"initial_{state}" for state in cell.states}
    for name in cell.parameters:
        taken = hasattr(Weights, name) or name in layers
        if taken or not name.isidentifier() or iskeyword(name) or name.startswith("_"):
            yield f"has a parameter {name!r}, which is no name that is free; choose another"
    for name in cell.numbers:
        shape = tuple(cell.parameters.get(name, ()))
        if len(shape) != 2 or not isinstance(shape[0], int) or shape[1] != "I":
            yield (
                f"names {name!r} in numbers, whose shape is {shape or 'not among its parameters'}; give it a few rows "
                f"of I columns, such as {{{name!r}: (4, 'I')}}"
            )
