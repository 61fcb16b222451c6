"""The gradient of a layer, once by the engine and twice by the reference.

It does not know what computes forward and backward: `run` is `execution`, or the same two functions as operators.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from elman.cells import Weights
from elman.engine.call import Call
from elman.engine.native.programs import cell_of
from elman.engine.reference import Reference


def _forward(
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
    return output, tape, *final


def _keep(ctx: Any, inputs: Any, outputs: Any) -> None:
    run, cell, lengths, sizes, reset, states, *tensors = inputs
    output, tape, *_ = outputs
    ctx.run, ctx.cell, ctx.states = run, cell, states
    ctx.save_for_backward(lengths, sizes, reset, output, tape, *tensors)
    ctx.mark_non_differentiable(tape)
    ctx.set_materialize_grads(False)


class Layer(torch.autograd.Function):
    """The operator and its gradient, on `execution` or on whatever stands in for it."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Any:
        outputs = _forward(*inputs)
        _keep(ctx, inputs, outputs)
        return outputs

    @staticmethod
    def backward(ctx: Any, d_output: Tensor | None, _: Any, *d_final: Tensor | None) -> Any:
        lengths, sizes, reset, output, tape, *tensors = ctx.saved_tensors
        if d_output is None and all(tensor is None for tensor in d_final):
            return (None,) * (6 + len(tensors))
        where = (ctx.run, ctx.cell, lengths, sizes, reset, ctx.states)
        needed = ctx.needs_input_grad[6:]
        arguments = (*where, needed[0], len(d_final), output, tape, d_output, *d_final, *tensors)
        found = Gradients.apply(*arguments) if torch.is_grad_enabled() else _gradients(*arguments)  # type: ignore[no-untyped-call]
        return (None,) * 6 + tuple(gradient if need else None for need, gradient in zip(needed, found, strict=True))


class TransformedLayer(Layer):
    """The same in the form that the transformations of torch.func want, which costs 20 us more."""

    forward = staticmethod(_forward)  # type: ignore[assignment]
    setup_context = staticmethod(_keep)  # type: ignore[assignment]


def _gradients(
    run: Any,
    cell: str,
    lengths: Tensor | None,
    sizes: Tensor | None,
    reset: Tensor | None,
    states: int,
    wants_input: bool,
    finals: int,
    output: Tensor,
    tape: Tensor,
    d_output: Tensor | None,
    *tensors: Any,
) -> tuple[Tensor | None, ...]:
    d_final, input, state, weights = (
        tensors[:finals], tensors[finals], tensors[finals + 1 : finals + 1 + states], tensors[finals + 1 + states :]
    )  # fmt: skip
    where = (cell, input, list(state), list(weights), lengths, sizes, reset)
    found = iter(run.backward(*where, output, tape, d_output, list(d_final), wants_input))
    return tuple(None if tensor is None else next(found) for tensor in (input, *state, *weights))


class Gradients(torch.autograd.Function):
    """The gradient of a layer as a function that can be differentiated again, by the reference."""

    forward = staticmethod(_gradients)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, outputs: Any) -> None:  # noqa: ARG004
        _, cell, lengths, sizes, reset, states, _, finals, _, _, *tensors = inputs
        ctx.cell, ctx.states, ctx.finals = cell, states, finals
        ctx.save_for_backward(lengths, sizes, reset, *tensors)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, *given: Tensor | None) -> Any:
        lengths, sizes, reset, *tensors = ctx.saved_tensors
        first = 1 + ctx.finals  # gradients of the output and of the final state come before the layer's own tensors
        with torch.enable_grad():
            own = [tensor if tensor is None or tensor.requires_grad else tensor.detach().requires_grad_()
                   for tensor in tensors]  # fmt: skip
            found = _by_reference(ctx.cell, lengths, sizes, reset, ctx.states, own[:first], own[first:])
        pairs = [(y, d) for y, d in zip(found, given, strict=True) if y is not None and d is not None]
        wanted = [tensor for tensor in own if tensor is not None]
        second = iter(
            torch.autograd.grad(
                [y for y, _ in pairs],
                wanted,
                [d for _, d in pairs],
                create_graph=torch.is_grad_enabled(),
                allow_unused=True,
            )
        )
        return (None,) * 10 + tuple(None if tensor is None else next(second) for tensor in own)


def _by_reference(
    cell: str,
    lengths: Tensor | None,
    sizes: Tensor | None,
    reset: Tensor | None,
    states: int,
    arriving: Sequence[Tensor | None],
    tensors: Sequence[Any],
) -> list[Tensor | None]:
    """The gradients of a layer's input, state and weights, as a graph."""
    input, state, weights = tensors[0], tensors[1 : 1 + states], tensors[1 + states :]
    size = len(Weights._fields)
    directions = tuple(Weights(*weights[at : at + size]) for at in range(0, len(weights), size))
    call = Call(cell_of(cell), (directions,), input, tuple(state), sizes, lengths, reset)
    output, final = Reference().run(call)
    pairs = [(y, d) for y, d in zip((output, *final), arriving, strict=True) if d is not None]
    wanted = [tensor for tensor in tensors if tensor is not None]
    outputs, gradients = [y for y, _ in pairs], [d for _, d in pairs]
    found = iter(torch.autograd.grad(outputs, wanted, gradients, create_graph=True, materialize_grads=True))
    return [None if tensor is None else next(found) for tensor in tensors]
