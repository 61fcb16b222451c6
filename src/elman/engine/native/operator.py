"""A layer as a torch operator: what autograd, torch.compile and torch.export see of the native engine.

`elman::layer` and `elman::layer_backward` have implementations on fake tensors, so that a compiler sees one opaque,
differentiable operator. Calls that nothing traces go straight to `execution`: the dispatcher's way there and back takes
30 us.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from elman.engine.native import execution
from elman.engine.native.execution import Flat, tape_size
from elman.engine.native.gradient import LayerFunction, Told, TransformedFunction, Where
from elman.engine.native.programs import cell_of, parameters, programs, shapes_of
from elman.engine.watching import transformed

ARGUMENTS = "str cell, Tensor input, Tensor[] state, Tensor?[] weights, Tensor? lengths, Tensor? sizes, Tensor? reset"
SAVED = "Tensor output, Tensor tape, Tensor[] others, Tensor? d_output, Tensor?[] d_others, Tensor?[] d_final"
WANTED = "bool wants_input, bool detail=False, bool wants_weights=True, bool pairs=False"
RESULTS = "Tensor output, Tensor[] final, Tensor tape, Tensor[] others"

_library: Any = torch.library.Library("elman", "DEF")
_library.define(f"layer({ARGUMENTS}, bool keep=False, bool detail=False, bool pairs=False) -> ({RESULTS})")
_library.define(f"layer_backward({ARGUMENTS}, {SAVED}, {WANTED}) -> Tensor[]")
_library.impl("layer", execution.forward, "CPU")
_library.impl("layer_backward", execution.backward, "CPU")


def layer(
    cell: str,
    input: Tensor,
    state: Sequence[Tensor],
    weights: Flat,
    lengths: Tensor | None,
    sizes: Tensor | None,
    reset: Tensor | None,
    told: Told | None = None,
    *,
    pairs: bool = False,
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """One layer in all its directions, differentiable: output, final state, and the other states of every step.

    Arguments and results are those of `execution.forward`. `told` asks for the states of every step, and is called in
    every backward pass with the whole gradients of all of them.
    """
    if transformed() and not torch.compiler.is_compiling():
        where = Where(execution, cell, lengths, sizes, reset, pairs, len(state), told)
        return _results(TransformedFunction.apply(where, input, *state, *weights), len(state))  # type: ignore[no-untyped-call]
    arguments = (cell, input, state, weights, lengths, sizes, reset, False, told is not None, pairs)
    if traced(input):
        output, final, _, others = torch.ops.elman.layer.default(*arguments)
    elif differentiated((input, *state, *weights)):
        where = Where(execution, cell, lengths, sizes, reset, pairs, len(state), told)
        return _results(LayerFunction.apply(where, input, *state, *weights), len(state))  # type: ignore[no-untyped-call]
    else:
        output, final, _, others = execution.forward(*arguments)
    return output, final, others


def _results(flat: Sequence[Tensor], states: int) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    return flat[0], list(flat[2 : 2 + states]), list(flat[2 + states :])


def traced(input: Tensor) -> bool:
    """Whether a compiler, or a transformation of torch.func, watches the operators that are called."""
    watched = torch.compiler.is_compiling() or transformed()
    return watched or type(input) not in _PLAIN


_PLAIN = {Tensor, torch.nn.Parameter}


def differentiated(tensors: Iterable[Tensor | None]) -> bool:
    """Whether autograd records what is computed from these tensors."""
    return torch.is_grad_enabled() and any([tensor is not None and tensor.requires_grad for tensor in tensors])


class _Operators:
    """The same two functions as `execution`, through the dispatcher and below autograd."""

    @staticmethod
    def forward(*arguments: Any) -> Any:
        with torch._C._AutoDispatchBelowAutograd():  # noqa: SLF001 - what torch.library's own autograd does
            return torch.ops.elman.layer.default(*arguments)

    @staticmethod
    def backward(*arguments: Any) -> Any:
        return torch.ops.elman.layer_backward.default(*arguments)


def _autograd(
    cell: str,
    input: Tensor,
    state: Sequence[Tensor],
    weights: Flat,
    lengths: Tensor | None,
    sizes: Tensor | None,
    reset: Tensor | None,
    keep: bool = False,
    detail: bool = False,
    pairs: bool = False,
) -> execution.Forward:
    if differentiated((input, *state, *weights)):
        told = _unheard if detail else None
        where = Where(_Operators, cell, lengths, sizes, reset, pairs, len(state), told)
        flat = LayerFunction.apply(where, input, *state, *weights)  # type: ignore[no-untyped-call]
        output, final, others = _results(flat, len(state))
        return output, final, flat[1], others
    return _Operators.forward(cell, input, state, weights, lengths, sizes, reset, keep, detail, pairs)  # type: ignore[no-any-return]


def _unheard(_: Sequence[Tensor]) -> None:
    """A graph has nobody to tell."""


_library.impl("layer", _autograd, "Autograd")


def _fake_forward(
    cell: str,
    input: Tensor,
    state: Sequence[Tensor],
    weights: Flat,
    lengths: Tensor | None,
    _sizes: Tensor | None,
    _reset: Tensor | None,
    keep: bool = False,
    detail: bool = False,
    _pairs: bool = False,
) -> execution.Forward:
    output, *others = [input.new_empty(*input.shape[:-1], len(t) * t.shape[-1]) for t in state]
    final = [torch.empty_like(tensor, memory_format=torch.contiguous_format) for tensor in state]
    size = 0
    if keep:
        shapes = shapes_of(cell_of(cell), weights[: len(weights) // len(state[0])])
        # A compiler may have symbols for the sizes of weights; the programs are made for numbers.
        known = tuple(None if shape is None else tuple(map(int, shape)) for shape in shapes)
        made = programs(cell, known, detail=detail)
        size = tape_size(made, input.dtype, input.shape, len(state[0]), state[0].shape[-1], padded=lengths is not None)
    return output, final, input.new_empty(size), others if detail else []


def _fake_backward(
    cell: str,
    input: Tensor,
    state: Sequence[Tensor],
    weights: Flat,
    _lengths: Tensor | None,
    _sizes: Tensor | None,
    _reset: Tensor | None,
    output: Tensor,
    _tape: Tensor,
    others: Sequence[Tensor],
    _d_output: Tensor | None,
    _d_others: Sequence[Tensor | None],
    _d_final: Sequence[Tensor | None],
    wants_input: bool,
    detail: bool = False,
    wants_weights: bool = True,
    _pairs: bool = False,
) -> list[Tensor]:
    own = parameters(cell_of(cell), weights) if wants_weights else []
    tensors = [*state, *[tensor for tensor in own if tensor is not None]]
    tensors += [output, *others] if detail else []
    d_input = torch.empty_like(input, memory_format=torch.contiguous_format) if wants_input else input.new_empty(0)
    return [d_input, *(torch.empty_like(tensor, memory_format=torch.contiguous_format) for tensor in tensors)]


torch.library.register_fake("elman::layer", _fake_forward, lib=_library)
torch.library.register_fake("elman::layer_backward", _fake_backward, lib=_library)
