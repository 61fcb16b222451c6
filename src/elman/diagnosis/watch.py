"""Watch the recurrent layers of a module while it runs: what goes in, the states of every step, what comes out.

It does not know what is measured on that, nor what the module is for. Layers of torch.nn are run by their twins of
Elman's, which hold the same weights and show every step; the module itself keeps its own.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from elman.cells import Cell, Weights
from elman.diagnosis.handed import Handed
from elman.diagnosis.stepwise import SeenStates, Stepwise
from elman.errors import UsageError
from elman.layers import Stack, StepLayer
from elman.layers.arguments import as_hidden, as_state
from elman.layers.conversion import TWINS, share, torch_kind, twin_of
from elman.types import State

Layers = dict[str, Stack | StepLayer]
"""The recurrent layers of a module by name, those of torch.nn as their twins."""


class LayerLike(Protocol):
    """What is known of a layer whose calls were seen."""

    @property
    def cell(self) -> Cell:
        """The time step."""

    def evaluated(self) -> tuple[Cell, tuple[tuple[Weights, ...], ...]]:
        """The time step and the weights, by layer and direction, as evaluation mode runs them."""

    def by_layer(self, hx: Any, batch: int) -> list[State]:
        """A state in the caller's form by layer: tensors (D, B, ·); what a sequence begins with, if it is None."""

    batch_first: bool
    bidirectional: bool


@dataclass(frozen=True, eq=False)
class Seen:
    """One call of one layer, as it happened; tensors are those of the graph, in the caller's form.

    Attributes:
        name: of the layer in the module.
        layer: the layer, or its twin.
        input: with a gradient where the layer has no weight that learns, so that there is a way back through it.
        given: the state that it began with, in torch.nn's form, or None.
        lengths: of the rows, or None.
        reset: where segments begin, or None.
        output: of all steps, padded.
        final: the state after the last step, in torch.nn's form.
        states: of all steps.
    """

    name: str
    layer: LayerLike
    input: Tensor
    given: Any
    lengths: Any
    reset: Tensor | None
    output: Tensor
    final: Any
    states: SeenStates


def recurrent(module: nn.Module) -> Layers:
    """The recurrent layers in a module; it is left as it is.

    Of subclasses that users wrote those that leave `forward` alone: what another one computes is not known.
    """
    found: Layers = {}
    for name, each in module.named_modules():
        if isinstance(each, Stack | StepLayer):
            if type(each).forward in {Stack.forward, StepLayer.forward}:
                found[name] = each
        elif torch_kind(each) is not None:
            found[name] = twin_of(each)  # type: ignore[assignment]
    return found


def overriding(module: nn.Module) -> str | None:
    """The name of a class in a module that derives from a recurrent layer, with a `forward` of its own."""
    known = recurrent(module)
    kinds = (Stack, StepLayer, *TWINS)
    return next(
        (type(each).__name__ for name, each in module.named_modules() if isinstance(each, kinds) and name not in known),
        None,
    )


@contextmanager
def watched(module: nn.Module, layers: Layers) -> Iterator[list[Seen]]:
    """Run a block in which every call of these layers is written down, in the order in which they end."""
    seen: list[Seen] = []
    forwards = {name: _watching(name, layer, seen) for name, layer in layers.items()}
    with _replaced(module, layers, forwards):
        for name, layer in layers.items():
            if isinstance(layer, Stack):
                place = vars(module.get_submodule(name))
                place["scan"] = _scanning(layer, place["forward"])
        yield seen


@contextmanager
def running(module: nn.Module, layers: Layers) -> Iterator[None]:
    """Run a block in which torch.nn's layers are run by their twins, as they are when they are watched."""
    forwards: dict[str, Callable[..., Any]] = {
        name: partial(getattr(type(layer), "forward"), layer)  # noqa: B009 - the types of the two kinds differ
        for name, layer in layers.items()
    }
    with _replaced(module, layers, forwards):
        yield


@contextmanager
def _replaced(module: nn.Module, layers: Layers, forwards: dict[str, Callable[..., Any]]) -> Iterator[None]:
    """Give submodules another `forward` while a block runs."""
    before = [(vars(place), dict(vars(place))) for place in map(module.get_submodule, forwards)]
    try:
        for name, forward in forwards.items():
            place = module.get_submodule(name)
            vars(place)["forward"] = _kept_up(place, layers[name], forward)
        yield
    finally:
        for attributes, known in before:
            for name in ("forward", "scan"):
                attributes.pop(name, None)
                if name in known:
                    attributes[name] = known[name]


def _kept_up(place: nn.Module, layer: nn.Module, forward: Callable[..., Any]) -> Callable[..., Any]:
    """A `forward` before which a twin takes what its module was given since, as weights made anew for each call."""
    if place is layer:
        return forward

    def run(*args: Any, **kwargs: Any) -> Any:
        share(place, layer)
        vars(layer).pop("forward")  # this function
        return forward(*args, **kwargs)

    return run


def _watching(name: str, layer: Stack | StepLayer, seen: list[Seen]) -> Callable[..., Any]:
    """A `forward` that does what the layer's own does, and writes it down."""
    return _watching_steps(name, layer, seen) if isinstance(layer, StepLayer) else _watching_calls(name, layer, seen)


def _watching_steps(name: str, layer: StepLayer, seen: list[Seen]) -> Callable[..., Any]:
    """For a layer that the module takes through time by itself, each step a call."""
    steps = Stepwise(layer)

    def forward(input: Tensor, hx: Any = None) -> Any:
        step = steps.take(_followed(input, layer), hx)
        seen.append(Seen(name, steps, step.input, step.given, None, None, step.output, step.final, step.states))
        return step.shown

    return forward


def _watching_calls(name: str, layer: Stack, seen: list[Seen]) -> Callable[..., Any]:
    """For a layer that runs over whole sequences."""
    kind, handed = type(layer), Handed()

    def forward(
        input: Tensor | PackedSequence,
        hx: Any = None,
        lengths: Any = None,
        reset: Any = None,
        states: bool | None = None,
    ) -> Any:
        packed = input if isinstance(input, PackedSequence) else None
        padded, lengths = _padded(input, lengths, layer)
        padded, hx = _followed(padded, layer), _own(hx, handed)
        output, final, known = kind.forward(layer, padded, hx, lengths=lengths, reset=reset, states=True)
        seen.append(Seen(name, layer, padded, hx, lengths, reset, output, final, known))
        if packed is not None:
            return _packed(output, lengths, packed, layer), final
        state = as_state(final, layer.cell)
        last = output[:, -1:].transpose(0, 1) if layer.batch_first and output.dim() == 3 else output[-1:]
        shown = as_hidden((_shown(state[0], last, handed), *state[1:]))
        return (output, shown, known) if states else (output, shown)

    return forward


def _shown(h: Any, last: Tensor, handed: Handed) -> Any:
    """The state h as it is shown to the module: that of the uppermost layer as made of the output of the last step.

    As it is where the output is something else, as of rows of unequal length.
    """
    if not isinstance(h, Tensor) or last.shape != h[-1:].shape or not torch.equal(last, h[-1:]):
        return h
    return handed.show(last.clone() if len(h) == 1 else torch.cat([h[:-1], last]), h)


def _own(hx: Any, handed: Handed) -> Any:
    """A state in the caller's form, with h itself where what was shown comes back."""
    if type(hx) in {list, tuple}:
        return type(hx)(_own(each, handed) for each in hx)
    return handed.own(hx) if isinstance(hx, Tensor) else hx


def _scanning(layer: Stack, run: Callable[..., Any]) -> Callable[..., Any]:
    """A `scan` that goes through such a `forward`."""

    def scan(
        input: Tensor, state: State | None = None, lengths: Tensor | None = None, reset: Tensor | None = None
    ) -> tuple[Tensor, State]:
        hx = None if state is None else as_hidden(state)
        turned = [None if x is None else x.transpose(0, 1) if layer.batch_first else x for x in (input, reset)]
        output, final = run(turned[0], hx, lengths=lengths, reset=turned[1])
        return output.transpose(0, 1) if layer.batch_first else output, as_state(final, layer.cell)

    return scan


def _followed(input: Tensor, layer: nn.Module) -> Tensor:
    """The input, as one that a way back through the layer can begin with: of a frozen layer, one with a gradient.

    Raises:
        UsageError: if it is no tensor.

    """
    if not isinstance(input, Tensor):
        raise UsageError(
            f"a recurrent layer got a {type(input).__name__} to read; give the batch as tensors (torch.as_tensor)"
        )
    if input.is_inference():
        input = input.clone()
    if input.requires_grad or any(parameter.requires_grad for parameter in layer.parameters()):
        return input
    return input.detach().requires_grad_()


def _padded(input: Tensor | PackedSequence, lengths: Any, layer: Stack) -> tuple[Tensor, Any]:
    if isinstance(input, PackedSequence):
        return pad_packed_sequence(input, batch_first=layer.batch_first)
    return input, lengths


def _packed(output: Tensor, lengths: Any, like: PackedSequence, layer: Stack) -> PackedSequence:
    if like.sorted_indices is None:
        return pack_padded_sequence(output, lengths, batch_first=layer.batch_first)
    rows = output if layer.batch_first else output.transpose(0, 1)
    packed = pack_padded_sequence(rows[like.sorted_indices], lengths[like.sorted_indices.cpu()], batch_first=True)
    return PackedSequence(packed.data, packed.batch_sizes, like.sorted_indices, like.unsorted_indices)
