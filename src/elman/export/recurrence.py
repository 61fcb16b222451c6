"""Recurrent layers as an exported model has them: ONNX's own operators, or a loop over the cell's step of any length.

Outside of an export they are the run's own layers. What is exported has the weights of evaluation mode, and no option
that acts in training only. It does not know what is around the layers, nor the file that is written.
"""

import copy
from typing import cast

import torch
from torch import Tensor, nn

from elman.cells import Cell, Weights
from elman.export.operators import Operator, operator_of, ordered, written
from elman.layers import Stack
from elman.types import State


class Portable(nn.Module):
    """A stack of layers that can be exported; it has what topologies use of a `Stack`.

    Args:
        stack: Elman's layers.
    """

    def __init__(self, stack: Stack) -> None:
        super().__init__()
        self._stack = (stack,)  # in a tuple, so that its parameters are not among those that are exported
        self.bidirectional, self.residual = stack.bidirectional, stack.options.residual
        cell, weights = stack.evaluated()
        initial, learnt = stack.by_layer(None, 1), stack.options.learn_state
        self.layers = nn.ModuleList(
            _layer(cell, each, begin, learnt=learnt) for each, begin in zip(weights, initial, strict=True)
        )

    def scan(self, input: Tensor, state: State | None = None, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """As `Stack.scan`."""
        if not torch.compiler.is_compiling():
            return self._stack[0].scan(input, state, lengths)
        final: list[State] = []
        value, directions = input, 2 if self.bidirectional else 1
        for depth, layer in enumerate(self.layers):
            rows = slice(depth * directions, (depth + 1) * directions)
            output, after = layer(value, None if state is None else tuple(t[rows] for t in state), lengths)
            value = output + value if self.residual and depth > 0 else output
            final.append(after)
        return value, tuple(torch.cat(tensors) for tensors in zip(*final, strict=True))


class Steps(nn.Module):
    """One time step of a stack of layers in one direction: (B, I) and state (L, B, ·) to (B, P) and the state after.

    It computes the same inside of an export and outside.
    """

    def __init__(self, stack: Stack) -> None:
        super().__init__()
        self.residual = stack.options.residual
        cell, weights = stack.evaluated()
        self.layers = nn.ModuleList(Loop(cell, each, None) for each in weights)

    def forward(self, input: Tensor, state: State) -> tuple[Tensor, State]:
        """Take one step."""
        value, final = input, []
        for depth, layer in enumerate(self.layers):
            after = cast("Loop", layer).step(value, tuple(tensor[depth] for tensor in state))
            value = after[0] + value if self.residual and depth > 0 else after[0]
            final.append(after)
        return value, tuple(torch.stack(tensors) for tensors in zip(*final, strict=True))


class Native(nn.Module):
    """One layer that is an operator of ONNX."""

    def __init__(self, operator: Operator, directions: tuple[Weights, ...], initial: State | None) -> None:
        super().__init__()
        self.operator = operator
        self.names = _keep(self, ordered(operator, directions))
        self.initial = _keep(self, _named(initial))

    def forward(self, input: Tensor, state: State | None, lengths: Tensor | None) -> tuple[Tensor, State]:
        """As `operators.written`."""
        if state is None and self.initial:
            state = tuple(getattr(self, name).expand(-1, input.shape[1], -1) for name in self.initial)
        return written(self.operator, {name: getattr(self, name) for name in self.names}, input, state, lengths)


class Loop(nn.Module):
    """One layer that is a loop over its cell's step.

    Args:
        cell: as evaluation mode runs it.
        directions: its weights by direction.
        initial: the state that a sequence begins with, tensors (D, 1, ·); None for a layer that is stepped.
    """

    def __init__(self, cell: Cell, directions: tuple[Weights, ...], initial: State | None) -> None:
        super().__init__()
        self.cell = cell
        for suffix, weights in zip(SUFFIXES, directions, strict=False):
            tensors = {f"weight_{name}{suffix}": tensor for name, tensor in zip(cell.fields, weights, strict=True)}
            _keep(self, {name: tensor for name, tensor in tensors.items() if tensor is not None})
        self.suffixes = SUFFIXES[: len(directions)]
        self.initial = _keep(self, _named(initial))

    def forward(self, input: Tensor, state: State | None, lengths: Tensor | None) -> tuple[Tensor, State]:
        """As `operators.written`."""
        begin = state or tuple(getattr(self, name).expand(-1, input.shape[1], -1) for name in self.initial)
        live = None
        if lengths is not None:
            live = (torch.arange(input.shape[0]).unsqueeze(1) < lengths).unsqueeze(-1)
        outputs, final = [], []
        for direction, suffix in enumerate(self.suffixes):
            before = tuple(tensor[direction] for tensor in begin)
            projected = self.cell.project(input, self._weights(suffix))
            given = [projected] if live is None else [projected, live]
            if direction == 1:
                given = [tensor.flip(0) for tensor in given]
            output, after = self._over_time(suffix, before, given)
            outputs.append(output.flip(0) if direction == 1 else output)
            final.append(after)
        return torch.cat(outputs, -1), tuple(torch.stack(tensors) for tensors in zip(*final, strict=True))

    def _over_time(self, suffix: str, before: State, given: list[Tensor]) -> tuple[Tensor, State]:
        """Output (T, B, P) and final state; given is the projected input and, of rows of unequal length, which live.

        torch's operator for such loops, which its exporter turns into ONNX's; weights are handed in beside the state.
        """
        weights = self._weights(suffix)
        there = [tensor is not None for tensor in weights]
        states = len(before)

        def step(*flat: Tensor) -> list[Tensor]:
            own = iter(flat[states + len(given) :])
            bundle = self.cell.bundle([next(own) if each else None for each in there])
            state, (now, *live) = flat[:states], flat[states : states + len(given)]
            after = self.cell.step(now, state, bundle)
            shown = after[0].clone()  # what a loop returns must be its own
            if live:  # beyond a row's end its state stays, and its output is zero
                after = tuple(torch.where(live[0], new, old) for new, old in zip(after, state, strict=True))
                shown = torch.where(live[0], shown, 0.0)
            return [*(tensor.clone() for tensor in after), shown]

        flat = [tensor.clone() for tensor in before]
        *after, output = torch.ops.higher_order.scan(step, flat, given, tuple(weights.flat()))
        return output, tuple(after)

    def step(self, input: Tensor, state: State) -> State:
        """The state (B, ·) after one step from (B, I)."""
        weights = self._weights("")
        return self.cell.step(self.cell.project(input, weights), state, weights)

    def _weights(self, suffix: str) -> Weights:
        return self.cell.bundle([getattr(self, f"weight_{name}{suffix}", None) for name in self.cell.fields])


SUFFIXES = ("", "_reverse")


def portable(network: nn.Module) -> nn.Module:
    """A copy of a network in evaluation mode in which every stack of layers can be exported."""
    found = copy.deepcopy(network).eval()
    for path, child in list(found.named_modules()):
        if isinstance(child, Stack):
            found.set_submodule(path, Portable(child))
    return found


def _layer(cell: Cell, directions: tuple[Weights, ...], initial: State, *, learnt: bool) -> nn.Module:
    operator = operator_of(cell, directions[0])
    if operator is None:
        return Loop(cell, directions, initial)
    return Native(operator, directions, initial if learnt else None)


def _named(initial: State | None) -> dict[str, Tensor]:
    return {f"initial_{k}": tensor for k, tensor in enumerate(initial or ())}


def _keep(module: nn.Module, tensors: dict[str, Tensor]) -> tuple[str, ...]:
    """Give a module tensors that do not change; their names."""
    for name, tensor in tensors.items():
        module.register_buffer(name, tensor.detach().clone())
    return tuple(tensors)
