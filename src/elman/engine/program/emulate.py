"""The emulator: runs encoded programs over whole sequences as docs/engine.md says, in torch, slowly.

It is the oracle that the C++ runtime is tested against. It reads the numbers of the programs, not the graphs that they
came from, cuts columns into tiles, and fills with NaN what nothing has written.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from elman.cells import Weights
from elman.engine.program.compile import Compiled
from elman.engine.program.contract import Kind
from elman.engine.program.decode import Decoded, Line, Matmul, Part, decode
from elman.engine.program.memory import Memory, block, gradients, tape, vectors
from elman.engine.program.operations import ACCUMULATIONS, OPERATIONS, REDUCTIONS
from elman.types import State


@dataclass(frozen=True)
class Gradients:
    """What backward gives: of the input, the initial state, each weight and gate by name, each state of every step."""

    input: Tensor
    state: State
    weights: dict[str, Tensor]
    adjoints: dict[int, Tensor]
    gates: dict[str, Tensor] = field(default_factory=dict)


class Emulator:
    """One layer in one direction over one batch, forward and then backward.

    Args:
        compiled: the programs.
        weights: of the layer.
        tile: columns of a tile.
        extras: masks and gates by name.
        rounded: what both sides of every product go through first.

    """

    def __init__(
        self,
        compiled: Compiled,
        weights: Weights,
        *,
        tile: int = 64,
        extras: Mapping[str, Tensor] | None = None,
        rounded: Callable[[Tensor], Tensor] = lambda value: value,
    ) -> None:
        self.compiled = compiled
        self.tile = tile
        self.rounded = rounded
        self.parameters = [getattr(weights, name) for name in compiled.parameters]
        self.extras = [(extras or {})[name] for name in compiled.extras]
        self.training, self.inference, self.gradient = (
            decode(program.ints, program.reals)
            for program in (compiled.training, compiled.inference, compiled.backward)
        )

    def forward(
        self,
        inputs: Tensor,
        state: State,
        *,
        lengths: Tensor | None = None,
        fresh: Tensor | None = None,
        reverse: bool = False,
        keep: bool = True,
    ) -> tuple[Tensor, State]:
        """Outputs (T, B, P), zero beyond lengths, and the final state.

        Args:
            inputs: (T, B, I).
            state: the initial one.
            lengths: (B,) int64.
            fresh: (T, B) bool: before which steps, in the order of reading, the state is zeroed.
            reverse: read each row from its own end.
            keep: run the training program rather than the one for inference.

        """
        steps, batch, _ = inputs.shape
        lengths = torch.full((batch,), steps) if lengths is None else lengths
        self.order = lengths.argsort(descending=True, stable=True)
        self.lengths = lengths[self.order]
        columns = self.compiled.tables.sizes.columns
        fresh = None if fresh is None else fresh[:, self.order]
        self.memory = memory = Memory(columns, reverse=reverse, fresh=fresh)
        program = self.training if keep else self.inference
        memory.timed[Kind.INPUT, 0] = inputs[:, self.order]
        for index, extra in enumerate(self.extras):
            if extra.dim() == 3:
                memory.timed[Kind.EXTRA, index] = extra[:, self.order]
            else:
                memory.lasting[Kind.EXTRA, index] = extra[self.order]
        vectors(memory, program, self.parameters)
        tape(memory, program, steps if keep else 0, batch)
        for k, tensor in enumerate(state):
            history = torch.full((steps + 1, batch, tensor.shape[1]), torch.nan, dtype=torch.float64)
            history[self.lengths if reverse else 0, torch.arange(batch)] = tensor[self.order]
            memory.timed[Kind.PREV, k] = memory.timed[Kind.NEXT, k] = history
        for time in self._times(steps, reverse=reverse):
            if keep:
                self._step(program, time)
            else:
                self._short_step(program, time)
        return self._results(reverse=reverse)

    def _short_step(self, program: Decoded, time: int) -> None:
        """A step of inference: state before and after in two buffers, or in one where the program allows it."""
        memory, count = self.memory, len(program.states)
        for k in range(count):
            buffer = memory.before(k, time).clone()
            memory.lasting[Kind.PREV, k] = buffer
            memory.lasting[Kind.NEXT, k] = buffer if program.states[k][1] else torch.full_like(buffer, torch.nan)
        self._step(program, time)
        for k in range(count):
            after = memory.lasting.pop((Kind.NEXT, k))
            del memory.lasting[Kind.PREV, k]
            memory.timed[Kind.NEXT, k][time + (not memory.reverse), : memory.rows] = after[: memory.rows]

    def _results(self, *, reverse: bool) -> tuple[Tensor, State]:
        batch = len(self.order)
        place = torch.zeros_like(self.lengths) if reverse else self.lengths
        histories = [self.memory.timed[Kind.NEXT, k] for k in range(len(self.compiled.states))]
        final = tuple(self._unsorted(history[place, torch.arange(batch)]) for history in histories)
        output = histories[0][:-1] if reverse else histories[0][1:]
        return self._unsorted(self._cleared(output), 1), final

    def _cleared(self, value: Tensor) -> Tensor:
        """Zero beyond each row's length."""
        beyond = torch.arange(len(value))[:, None] >= self.lengths
        return value.masked_fill(beyond[:, :, None], 0)

    def _unsorted(self, value: Tensor, dim: int = 0) -> Tensor:
        return value.index_select(dim, self.order.argsort())

    def _times(self, steps: int, *, reverse: bool) -> Iterator[int]:
        for time in reversed(range(steps)) if reverse else range(steps):
            rows = int((self.lengths > time).sum())
            if rows:
                self.memory.begin_step(time, rows)
                yield time

    def backward(
        self, d_outputs: Tensor, d_state: State, *, d_states: Mapping[int, Tensor] | None = None, overlay: bool = True
    ) -> Gradients:
        """The gradients of everything, from those of outputs, final state and, if compiled so, all states."""
        memory, program = self.memory, self.gradient
        steps, batch, _ = d_outputs.shape
        gradients(memory, program, overlay=overlay)
        for index in range(len(program.vectors)):
            memory.lasting[Kind.ACC, index] = torch.zeros_like(memory.lasting[Kind.VECTOR, index])
        for k, tensor in {0: d_outputs, **(d_states or {})}.items():
            memory.timed[Kind.DSTATE, k] = tensor[:, self.order]
        for k, tensor in enumerate(d_state):
            memory.lasting[Kind.CARRY, k] = tensor[self.order].clone()
            memory.timed[Kind.ADJOINT, k] = torch.zeros(steps, batch, tensor.shape[1], dtype=torch.float64)
        gates = [name for name in self.compiled.extras if name.startswith("gate ")]
        for index, extra in enumerate(self.extras[: len(gates)]):
            memory.timed[Kind.DEXTRA, index] = torch.zeros(steps, batch, extra.shape[-1], dtype=torch.float64)
        memory.timed[Kind.DINPUT, 0] = torch.zeros_like(memory.timed[Kind.INPUT, 0])
        for time in self._times(steps, reverse=not memory.reverse):
            self._step(program, time)
            if memory.fresh is not None:
                for k in range(len(d_state)):
                    memory.lasting[Kind.CARRY, k][: memory.rows][memory.fresh[time, : memory.rows]] = 0
        return Gradients(
            self._unsorted(self._cleared(memory.timed[Kind.DINPUT, 0]), 1),
            tuple(self._unsorted(memory.lasting[Kind.CARRY, k]) for k in range(len(d_state))),
            self._weight_gradients(program, steps),
            {k: self._unsorted(memory.timed[Kind.ADJOINT, k], 1) for k in range(len(d_state))},
            {name: self._unsorted(memory.timed[Kind.DEXTRA, k], 1) for k, name in enumerate(gates)},
        )

    def _weight_gradients(self, program: Decoded, steps: int) -> dict[str, Tensor]:
        memory, columns = self.memory, self.memory.columns
        found = [torch.zeros_like(parameter) for parameter in self.parameters]
        for _ in self._times(steps, reverse=False):
            for entry in program.weights:
                value = memory.view(entry.value, slice(None))
                for index, number in enumerate(entry.blocks):
                    place = entry.gradient._replace(number=entry.gradient.number + index)
                    d = memory.view(place, slice(None))
                    block(found[entry.parameter], program.parameters[entry.parameter], number, columns).add_(
                        self.rounded(d).T @ self.rounded(value)
                    )
        for index, terms in enumerate(program.vectors):
            for parameter, number in terms:
                target = block(found[parameter], program.parameters[parameter], number, columns)
                target.add_(memory.lasting[Kind.ACC, index])
        return dict(zip(self.compiled.parameters, found, strict=True))

    def _step(self, program: Decoded, time: int) -> None:
        self.memory.time = time
        for segment in program.segments:
            self._segment(program, segment)

    def _segment(self, program: Decoded, segment: Part) -> None:
        for line in segment.rows:
            self._operation(line, slice(None))
        total = self.memory.columns[segment.width]
        for start in range(0, total, self.tile):
            columns = slice(start, min(start + self.tile, total))
            self.memory.begin_tile()
            for product in segment.products:
                self._product(program, product, columns)
            for line in segment.tiles:
                self._operation(line, columns)

    def _operation(self, line: Line, columns: slice) -> None:
        memory = self.memory
        operation = OPERATIONS[line.op]
        args = [memory.view(place, columns) for place in line.args]
        args = [arg if arg.dim() == 2 else arg.expand(memory.rows, -1) for arg in args]
        value = operation.evaluate(*args, *line.immediates)
        out = memory.view(line.out, columns)
        if line.op in ACCUMULATIONS:
            out += value
        elif line.op == "row_largest":
            out[:] = torch.maximum(out, value[:, None])
        elif line.op in REDUCTIONS:
            out += value[:, None]
        else:
            out[:] = value

    def _product(self, program: Decoded, product: Matmul, columns: slice) -> None:
        memory = self.memory
        out = memory.view(product.out, columns)
        total = torch.zeros_like(out) if product.init is None else memory.view(product.init, columns).expand_as(out)
        for form, place, parameter, blocks in product.sources:
            assert place.kind not in {Kind.SLOT, Kind.TEMP, Kind.NEXT} or form == 0
            value = memory.view(place, slice(None), len(blocks))
            record = program.parameters[parameter]
            pieces = [block(self.parameters[parameter], record, number, memory.columns) for number in blocks]
            value, matrix = self.rounded(value), self.rounded(torch.cat(pieces))
            total = total + (value @ matrix[:, columns] if form else value @ matrix[columns].T)
        out[:] = total
