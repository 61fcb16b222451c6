"""From a cell to its three programs: the one function that the engine calls."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch

from elman.cells import Cell, Weights
from elman.engine.program.backward import Backward, draft_backward
from elman.engine.program.contract import Kind, Place, Purpose, Source, Width
from elman.engine.program.differentiate import differentiate
from elman.engine.program.draft import Draft, Terms, leaf_homes, terms_of
from elman.engine.program.encode import Program, State, Tables, encode
from elman.engine.program.fuse import fuse
from elman.engine.program.graph import Node, reachable
from elman.engine.program.layout import Layout
from elman.engine.program.names import name_places
from elman.engine.program.place import Pass, in_place, place
from elman.engine.program.saving import choose_saved
from elman.engine.program.schedule import CycleError, Segment, schedule
from elman.engine.program.sums import merge_products
from elman.engine.program.trace import Trace, trace


@dataclass(frozen=True)
class Compiled:
    """The programs of one cell, for weights of given shapes.

    Attributes:
        cell: whose step they are.
        parameters: the names of the weights that there are, in the order in which programs number them.
        extras: the names of the caller's arrays, in order.
        states: what the runtime must know of each state.
        tables: what the programs share.
        weights: the matmuls after the last backward step: matrix and blocks, first gradient, value.
        names: of places of the tape and of gradients, for people.
        training: one time step that keeps what its adjoint needs.
        inference: one time step that keeps nothing.
        backward: the adjoint of one time step.

    """

    cell: Cell
    parameters: tuple[str, ...]
    extras: tuple[str, ...]
    states: tuple[State, ...]
    tables: Tables
    weights: tuple[tuple[Source, Place, Place], ...]
    names: dict[Place, str]
    training: Program
    inference: Program
    backward: Program

    def saved_bytes(self) -> float:
        """What training keeps for each of T*B*H, output and histories of states included, in bytes of float32."""
        sizes, counts = self.tables.sizes, self.tables.counts
        columns = counts[Kind.TAPE] * sizes[Width.H] + counts[Kind.TAPE_P] * sizes[Width.P] + counts[Kind.TAPE_ROW]
        for k, state in enumerate(self.states):
            if k == 0 or state.reads_before or state.reads_after:
                columns += sizes[state.width]
        return 4 * columns / sizes[Width.H]


def compile_cell(
    cell: Cell,
    weights: Weights,
    *,
    extras: Collection[str] = (),
    every_state: bool = False,
    adjoints: bool = False,
    given: int = 0,
    numbers: Sequence[str] = (),
) -> Compiled:
    """The programs of a cell's step.

    Args:
        cell: the time step.
        weights: of one layer and direction; only their shapes matter.
        extras: the fields of `weights` that are not weights but arrays with a value for each row, (B, H) or (B, P).
        every_state: whether gradients arrive from outside at all states of every step, not only at the output.
        adjoints: whether backward writes the gradient of every state after every step.
        given: H, if the caller gives the projected input, an array for each gate; backward then writes their gradients.
        numbers: the names of single numbers of each row that the projected input has then behind the gates.

    Raises:
        UntraceableError: if the step does what no program can contain.

    """
    with torch.enable_grad():  # whether the step itself leaves gradients out
        traced = trace(cell, weights, extras, given=given, numbers=numbers)
    after = merge_products(traced.graph, traced.after)
    step = reachable(after)
    vectors = sorted({(terms_of(node), node.width) for node in step if node.op == "vector"})
    terms = [each for each, _ in vectors]
    backward, segments = _backward(traced, after, terms, every_state=every_state, adjoints=adjoints)
    tape = backward.layout.tape
    training = _forward(traced, after, tape, terms)
    inference = _forward(traced, after, {}, terms)
    passes = place(backward.draft, segments, terms)
    states = _states(traced, inference, passes, backward)
    tables = Tables(
        traced.sizes,
        traced.parameters,
        tuple((width, each) for each, width in vectors),
        len(traced.extras),
        _counts(backward.layout),
    )
    return Compiled(
        cell,
        tuple(parameter.name for parameter in traced.parameters),
        traced.extras,
        tuple(states),
        tables,
        tuple(backward.weights),
        name_places(traced, cell, backward.layout, backward.gradients),
        encode(Purpose.TRAINING, training, tables, states, []),
        encode(Purpose.INFERENCE, inference, tables, states, []),
        encode(Purpose.BACKWARD, passes, tables, states, backward.weights),
    )


def _backward(
    traced: Trace,
    after: tuple[Node, ...],
    vectors: list[Terms],
    *,
    every_state: bool,
    adjoints: bool,
) -> tuple[Backward, list[Segment]]:
    arriving = frozenset(range(len(after)) if every_state else (0,))
    adjoint = differentiate(traced, after, arriving)
    factors = {entry.value for entry in adjoint.weights}
    roots = adjoint.roots() + (adjoint.totals if adjoints else [])
    kept = choose_saved(reachable(after), after, roots, factors)

    def attempt(*, copies: bool) -> tuple[Backward, list[Segment]]:
        made = draft_backward(traced, after, adjoint, kept, vectors, totals=adjoints, copies=copies)
        return made, schedule(made.draft)

    try:
        return attempt(copies=False)
    except CycleError:
        return attempt(copies=True)


def _forward(traced: Trace, after: tuple[Node, ...], tape: dict[Node, Place], vectors: list[Terms]) -> list[Pass]:
    new = fuse(traced.graph, [*after, *tape])
    draft = Draft(traced.graph, leaf_homes(reachable(new.values()), vectors, traced.extras))
    for k, node in enumerate(after):
        draft.write(new[node], Place(Kind.NEXT, k, node.width))
    for node, where in tape.items():
        draft.write(new[node], where)
    return place(draft, schedule(draft), vectors)


def _states(traced: Trace, inference: list[Pass], passes: list[Pass], backward: Backward) -> list[State]:
    reads = {operand[:2] for each in passes for line in each.tiles for operand in line.args}
    reads |= {product.init[:2] for each in passes for product in each.products if product.init}
    reads |= {value[:2] for _, _, value in backward.weights}
    alone = in_place(inference)
    return [
        State(width, k in alone, (Kind.PREV, k) in reads, (Kind.NEXT, k) in reads)
        for k, width in enumerate(traced.states)
    ]


def _counts(layout: Layout) -> dict[Kind, int]:
    counts = dict.fromkeys((Kind.TAPE, Kind.TAPE_P, Kind.TAPE_ROW, Kind.GRAD, Kind.GRAD_P), 0)
    for kind, index, _ in (*layout.tape.values(), *layout.grad.values()):
        counts[kind] = max(counts[kind], index + 1)
    return counts
