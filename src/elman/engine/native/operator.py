"""A layer as a torch operator: what autograd, torch.compile and torch.export see of the native engine.

`elman::layer` and `elman::layer_backward` have implementations on fake tensors, so that a compiler sees one opaque,
differentiable operator. A second differentiation goes through the reference. Calls that nothing traces go straight to
`execution`: the dispatcher's way there and back takes 30 us.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from elman.cells import Weights
from elman.engine.call import Call
from elman.engine.native import execution
from elman.engine.native.execution import Flat, tape_size
from elman.engine.native.programs import cell_of, programs, shapes_of
from elman.engine.reference import Reference

ARGUMENTS = "str cell, Tensor input, Tensor[] state, Tensor?[] weights, Tensor? lengths, Tensor? sizes, Tensor? reset"
SCHEMAS = (
    f"layer({ARGUMENTS}, bool keep=False) -> (Tensor output, Tensor[] final, Tensor tape)",
    f"layer_backward({ARGUMENTS}, Tensor output, Tensor tape, Tensor? d_output, Tensor?[] d_final, bool wants_input)"
    " -> Tensor[]",
)

_library = torch.library.Library("elman", "DEF")
for schema in SCHEMAS:
    _library.define(schema)
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
) -> tuple[Tensor, list[Tensor]]:
    """One layer in all its directions; arguments and results as of `execution.forward`, differentiable."""
    if torch.compiler.is_compiling() or type(input) not in _PLAIN:
        output, final, _ = torch.ops.elman.layer.default(cell, input, state, weights, lengths, sizes, reset)
        return output, final
    tensors = (input, *state, *[tensor for tensor in weights if tensor is not None])
    if torch.is_grad_enabled() and any([tensor.requires_grad for tensor in tensors]):
        output, _, *final = Layer.apply(  # type: ignore[no-untyped-call]
            execution, cell, lengths, sizes, reset, len(state), input, *state, *weights
        )
        return output, final
    output, final, _ = execution.forward(cell, input, state, weights, lengths, sizes, reset)
    return output, final


_PLAIN = {Tensor, torch.nn.Parameter}


class _Operators:
    """The same two functions as `execution`, through the dispatcher and below autograd."""

    @staticmethod
    def forward(*arguments: Any) -> Any:
        with torch._C._AutoDispatchBelowAutograd():  # noqa: SLF001 - what torch.library's own autograd does
            return torch.ops.elman.layer.default(*arguments)

    @staticmethod
    def backward(*arguments: Any) -> Any:
        return torch.ops.elman.layer_backward.default(*arguments)


class Layer(torch.autograd.Function):
    """The operator and its gradient, on `execution` or on whatever stands in for it."""

    @staticmethod
    def forward(
        ctx: Any,
        run: Any,
        cell: str,
        lengths: Tensor | None,
        sizes: Tensor | None,
        reset: Tensor | None,
        states: int,
        input: Tensor,
        *tensors: Any,
    ) -> Any:
        state, weights = list(tensors[:states]), list(tensors[states:])
        output, final, tape = run.forward(cell, input, state, weights, lengths, sizes, reset, True)
        ctx.run, ctx.cell, ctx.states = run, cell, states
        ctx.save_for_backward(lengths, sizes, reset, output, tape, input, *tensors)
        ctx.mark_non_differentiable(tape)
        ctx.set_materialize_grads(False)
        return output, tape, *final

    @staticmethod
    def backward(ctx: Any, d_output: Tensor | None, _: Any, *d_final: Tensor | None) -> Any:
        lengths, sizes, reset, output, tape, input, *tensors = ctx.saved_tensors
        state, weights = tensors[: ctx.states], tensors[ctx.states :]
        where = (ctx.cell, input, state, weights, lengths, sizes, reset)
        if d_output is None and all(tensor is None for tensor in d_final):
            return (None,) * (7 + len(tensors))
        if torch.is_grad_enabled():
            return (None,) * 6 + _differentiable(*where, d_output, d_final)
        wants_input = ctx.needs_input_grad[6]
        found = iter(ctx.run.backward(*where, output, tape, d_output, d_final, wants_input))
        d_input = next(found)
        spread = [None if tensor is None else next(found) for tensor in tensors]
        return (None,) * 6 + (d_input if wants_input else None, *spread)


def _differentiable(
    cell: str,
    input: Tensor,
    state: Sequence[Tensor],
    weights: Flat,
    lengths: Tensor | None,
    sizes: Tensor | None,
    reset: Tensor | None,
    d_output: Tensor | None,
    d_final: Sequence[Tensor | None],
) -> tuple[Tensor | None, ...]:
    """The gradients of input, state and weights by the reference, as values that can be differentiated again."""
    size = len(Weights._fields)
    directions = tuple(Weights(*weights[at : at + size]) for at in range(0, len(weights), size))  # type: ignore[arg-type]
    call = Call(cell_of(cell), (directions,), input, tuple(state), sizes, lengths, reset)
    leaves = [input, *state, *weights]
    wanted = [tensor for tensor in leaves if tensor is not None and tensor.requires_grad]
    with torch.enable_grad():
        output, final = Reference().run(call)
    pairs = [(y, d) for y, d in zip((output, *final), (d_output, *d_final), strict=True) if d is not None]
    found = iter(
        torch.autograd.grad(
            [y for y, _ in pairs], wanted, [d for _, d in pairs], create_graph=True, materialize_grads=True
        )
    )
    return tuple(None if tensor is None or not tensor.requires_grad else next(found) for tensor in leaves)


def _autograd(
    cell: str,
    input: Tensor,
    state: Sequence[Tensor],
    weights: Flat,
    lengths: Tensor | None,
    sizes: Tensor | None,
    reset: Tensor | None,
    keep: bool = False,
) -> tuple[Tensor, list[Tensor], Tensor]:
    tensors = (input, *state, *[tensor for tensor in weights if tensor is not None])
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        output, tape, *final = Layer.apply(  # type: ignore[no-untyped-call]
            _Operators, cell, lengths, sizes, reset, len(state), input, *state, *weights
        )
        return output, final, tape
    return _Operators.forward(cell, input, state, weights, lengths, sizes, reset, keep)  # type: ignore[no-any-return]


_library.impl("layer", _autograd, "Autograd")


def _fake_forward(
    cell: str,
    input: Tensor,
    state: Sequence[Tensor],
    weights: Flat,
    lengths: Tensor | None,
    sizes: Tensor | None,  # noqa: ARG001
    reset: Tensor | None,  # noqa: ARG001
    keep: bool = False,
) -> tuple[Tensor, list[Tensor], Tensor]:
    directions, width = state[0].shape[0], state[0].shape[-1]
    output = input.new_empty(*input.shape[:-1], directions * width)
    final = [torch.empty_like(tensor, memory_format=torch.contiguous_format) for tensor in state]
    if not keep:
        return output, final, input.new_empty(0)
    made = programs(cell, shapes_of(weights[: len(Weights._fields)]))
    size = tape_size(made, input.dtype, input.shape, directions, width, padded=lengths is not None)
    return output, final, input.new_empty(size)


def _fake_backward(
    cell: str,  # noqa: ARG001
    input: Tensor,
    state: Sequence[Tensor],
    weights: Flat,
    lengths: Tensor | None,  # noqa: ARG001
    sizes: Tensor | None,  # noqa: ARG001
    reset: Tensor | None,  # noqa: ARG001
    output: Tensor,  # noqa: ARG001
    tape: Tensor,  # noqa: ARG001
    d_output: Tensor | None,  # noqa: ARG001
    d_final: Sequence[Tensor | None],  # noqa: ARG001
    wants_input: bool,
) -> list[Tensor]:
    tensors = [*state, *[tensor for tensor in weights if tensor is not None]]
    d_input = torch.empty_like(input, memory_format=torch.contiguous_format) if wants_input else input.new_empty(0)
    return [d_input, *(torch.empty_like(tensor, memory_format=torch.contiguous_format) for tensor in tensors)]


torch.library.register_fake("elman::layer", _fake_forward, lib=_library)
torch.library.register_fake("elman::layer_backward", _fake_backward, lib=_library)
