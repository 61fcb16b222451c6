"""A passage: a batch of sequences on its way through a stack of recurrent layers, all time steps in one piece.

It is put together from the calls that were seen: where one call began with the state that another ended with, as where
a stream is cut into windows, the two are one passage; rows that are zero there begin anew, as with `reset`. It does not
know what is measured on it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from elman.cells import Cell, Weights
from elman.diagnosis.handed import anew
from elman.diagnosis.watch import Seen
from elman.layers.arguments import Hidden, checked_lengths, tensors_of
from elman.types import State


@dataclass(eq=False)
class Passage:
    """Calls of one layer that follow each other in time.

    Attributes:
        calls: in the order of time.
        window: the most steps after which the state was carried over without its gradient; None where it never was.

    """

    calls: list[Seen]
    window: int | None = None

    def __post_init__(self) -> None:
        first = self.calls[0]
        self.name, self.layer = first.name, first.layer
        self.cell: Cell
        self.weights: tuple[tuple[Weights, ...], ...]
        self.cell, self.weights = first.layer.evaluated()
        self.directions = len(self.weights[0])
        self.depths = len(self.weights) * self.directions
        self.input = self._joined(lambda call: call.input)
        self.steps, self.batch = self.input.shape[:2]
        self.lengths = checked_lengths(first.lengths, self.steps, self.batch)
        self.reset = None
        if any(call.reset is not None for call in self.calls):
            self.reset = self._joined(lambda call: _reset(call).unsqueeze(-1)).squeeze(-1)
        self.states = self._by_layer(lambda call, name: call.states[name])
        """By layer and direction, in torch's order, the states of all steps: tensors (T, B, ·)."""
        self.given = [_batched(state) for state in self._at_ends(first.given)]
        """By layer the state that it began with: tensors (D, B, ·)."""

    @property
    def residual(self) -> bool:
        """Whether every layer but the first adds its input to its output."""
        options = getattr(self.layer, "options", None)
        return options is not None and options.residual

    @property
    def frozen(self) -> bool:
        """Whether none of its weights learns."""
        return not any(t.requires_grad for each in self.weights for weights in each for t in weights.flat())

    @property
    def learns(self) -> bool:
        """Whether a gradient can come back through it."""
        return all(end.requires_grad for end in self.ends)

    @property
    def ends(self) -> list[Tensor]:
        """What the passage hands on: the outputs of its calls, then the tensors of its final state."""
        return [call.output for call in self.calls] + tensors_of(self.calls[-1].final)

    def feeds(self, other: "Passage") -> bool:
        """Whether something that it hands on goes into another one, by the graph."""
        sought = {end.grad_fn for end in self.ends}
        given = [tensor for call in other.calls if call.given is not None for tensor in tensors_of(call.given)]
        return any(node in sought for node in _below([*(call.input for call in other.calls), *given]))

    def teaches(self, weights: Iterable[Tensor]) -> bool:
        """Whether the gradient that comes back through it reaches any of these weights."""
        sought = {id(tensor) for tensor in weights}
        return any(id(getattr(node, "variable", None)) in sought for node in _below(self.ends))

    def of_ends(self, gradients: Sequence[Tensor | None]) -> tuple[Tensor, list[State]]:
        """Gradients by `ends`, as the output's (T, B, D*P) and by layer the final state's, (D, B, ·) each."""
        found = [g if g is not None else torch.zeros_like(e) for g, e in zip(gradients, self.ends, strict=True)]
        count = len(self.calls)
        joined = _cat([time_first(value.detach(), call) for value, call in zip(found[:count], self.calls, strict=True)])
        final = _with_tensors(self.calls[-1].final, iter(found[count:]))
        return joined, [_batched(state) for state in self._at_ends(final)]

    def gradients(self) -> list[State]:
        """The whole gradient at the states after the last backward pass, like `states`; zeros where none came by."""

        def found(call: Seen, name: str) -> Any:
            gradient = call.states.gradient(name)
            return _zeros_like(call.states[name]) if gradient is None else gradient

        return self._by_layer(found)

    @cached_property
    def segments(self) -> list[tuple[int, int, int]]:
        """(row, start, stop) of every stretch of steps without a reset inside."""
        stops = [self.steps] * self.batch if self.lengths is None else self.lengths.tolist()
        if self.reset is None:
            return [(row, 0, stop) for row, stop in enumerate(stops)]
        found = []
        for row, stop in enumerate(stops):
            starts = self.reset[:stop, row].nonzero().flatten().tolist()
            found += [(row, *pair) for pair in pairwise([0, *(t for t in starts if t), stop])]
        return found

    @property
    def spans(self) -> list[tuple[int, int]]:
        """(start, stop) of the segments, each once; without a reset all steps."""
        if self.reset is None:
            return [(0, self.steps)]
        return sorted({(start, stop) for _, start, stop in self.segments})

    def begins(self, layer: int) -> Tensor | None:
        """(T, B) in the order in which a layer reads: whether no state comes from the step before; None if all do."""
        if self.reset is None:
            return None
        backward = layer % self.directions
        starts = torch.cat([self.reset[1:], torch.zeros_like(self.reset[:1])]) if backward else self.reset
        return self.in_reading_order(starts, layer)

    def weights_of(self, layer: int) -> Weights:
        """Of a layer in torch's order: depth outside, direction inside."""
        return self.weights[layer // self.directions][layer % self.directions]

    def in_reading_order(self, values: Tensor, layer: int) -> Tensor:
        """(T, B, ...) in the order in which a layer reads the rows: a reverse one from their ends."""
        if layer % self.directions == 0:
            return values
        if self.lengths is None:
            return values.flip(0)
        time = torch.arange(len(values))[:, None]
        places = torch.where(time < self.lengths, self.lengths - 1 - time, time).to(values.device)
        return values[places, torch.arange(values.shape[1], device=values.device)]

    def _joined(self, of: Callable[[Seen], Tensor]) -> Tensor:
        return _cat([time_first(of(call).detach(), call) for call in self.calls])

    def _by_layer(self, of: Callable[[Seen, str], Any]) -> list[State]:
        """By layer and direction, tensors (T, B, ·) by state."""
        joined = []
        for name in self.cell.states:
            pieces = [
                [time_first(value.detach(), call) for tensor in tensors_of(of(call, name)) for value in tensor]
                for call in self.calls
            ]
            joined.append([_cat(each) for each in zip(*pieces, strict=True)])
        return list(zip(*joined, strict=True))

    def _at_ends(self, hx: Hidden | None) -> list[State]:
        """By layer a state that a call began or ended with, or what corresponds to it."""
        return self.layer.by_layer(hx, self.batch)


def passages(seen: Sequence[Seen]) -> list[Passage]:
    """The passages that calls belong to, in the order in which they end."""
    chains: list[list[Seen]] = []
    for call in seen:
        following = ((chain, _anew(call, chain[-1])) for chain in reversed(chains))
        chain, rows = next(((chain, rows) for chain, rows in following if rows is not None), (None, None))
        if chain is None or rows is None:
            chains.append([call])
        else:
            chains.remove(chain)
            chains.append([*chain, _beginning(call, rows)])
    return [Passage(chain, _window(chain)) for chain in chains]


def time_first(value: Tensor, call: Seen) -> Tensor:
    """(T, B, ...), from the form of the call's input."""
    if call.input.dim() == 2:
        return value.unsqueeze(1)
    return value.transpose(0, 1) if _rows_first(call) else value


def _batched(state: State) -> State:
    """Tensors (D, B, ·), outside the graph, of one sequence without a batch too."""
    return tuple(tensor.detach() if tensor.dim() == 3 else tensor.detach().unsqueeze(1) for tensor in state)


def _with_tensors(hx: Hidden, tensors: Iterator[Tensor]) -> Hidden:
    """The same form with other tensors."""
    return next(tensors) if isinstance(hx, Tensor) else [_with_tensors(each, tensors) for each in hx]


def _zeros_like(hx: Hidden) -> Hidden:
    return _with_tensors(hx, iter([torch.zeros_like(tensor) for tensor in tensors_of(hx)]))


def _cat(pieces: Sequence[Tensor]) -> Tensor:
    """Pieces joined in time; a single one is not copied."""
    return pieces[0] if len(pieces) == 1 else torch.cat(list(pieces))


def _rows_first(call: Seen) -> bool:
    return call.layer.batch_first and call.input.dim() == 3


def _reset(call: Seen) -> Tensor:
    return torch.zeros_like(call.input[..., 0], dtype=torch.bool) if call.reset is None else call.reset


def _anew(call: Seen, before: Seen) -> Tensor | None:
    """Which rows begin anew, (B,), where a call begins with the state that another has ended with; None elsewhere."""
    one_direction = not call.layer.bidirectional and call.lengths is None and before.lengths is None
    if call.layer is not before.layer or call.given is None or not one_direction:
        return None
    return anew(tensors_of(call.given), tensors_of(before.final))


def _beginning(call: Seen, rows: Tensor) -> Seen:
    """The same call with a reset of these rows at its first step."""
    if not rows.any():
        return call
    reset = _reset(call).clone()
    first = reset[:, 0] if _rows_first(call) else reset[0]
    first |= rows
    return replace(call, reset=reset)


def _window(chain: list[Seen]) -> int | None:
    """The longest stretch of steps between two cuts; None where there are none."""
    stretches, cut = [0], False
    for number, call in enumerate(chain):
        given = () if call.given is None else tensors_of(call.given)
        if number and not any(tensor.requires_grad for tensor in given):
            stretches.append(0)
            cut = True
        stretches[-1] += time_first(call.input, call).shape[0]
    return max(stretches) if cut else None


def _below(tensors: Iterable[Tensor]) -> Iterator[Any]:
    """The nodes of the graph that tensors come of."""
    found, left = set(), [tensor.grad_fn for tensor in tensors]
    while left:
        node = left.pop()
        if node is not None and node not in found:
            found.add(node)
            yield node
            left += [below for below, _ in node.next_functions]
