"""The gradient of a layer, once by the engine and twice by the reference.

It does not know what computes forward and backward: `run` is `execution`, or the same two functions as operators.

The output is the caller's to write over, as that of torch.nn's layers is, although the gradient needs what it was: if
it has changed, the layer runs once more.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from elman.engine.call import Call
from elman.engine.native.programs import cell_of, parameters
from elman.engine.record import Record
from elman.engine.reference import Reference
from elman.engine.watching import in_a_batch, transformed

Told = Callable[[Sequence[Tensor]], None]
"""Is called in a backward pass with the whole gradients of all states after every step."""


class Wanted(NamedTuple):
    """Which gradients are wanted, beside that of the state."""

    input: bool
    weights: bool


class Where(NamedTuple):
    """What a layer is told besides tensors that have gradients."""

    run: Any
    cell: str
    lengths: Tensor | None
    sizes: Tensor | None
    reset: Tensor | None
    pairs: bool
    states: int
    told: Told | None


def _forward(where: Where, input: Tensor, *tensors: Any) -> Any:
    """Input, state and weights -> output, tape, final state and, if `told`, the other states of every step."""
    state, weights = tensors[: where.states], tensors[where.states :]
    known = (where.lengths, where.sizes, where.reset)
    arguments = (where.cell, input, state, weights, *known, True, where.told is not None, where.pairs)
    output, final, tape, others = where.run.forward(*arguments)
    return output, tape, *final, *others


def _keep(ctx: Any, inputs: Any, outputs: Any, own: Tensor | None = None) -> None:
    """What backward needs. `own` is the output once more, outside the graph, where that may be written over."""
    where, *tensors = inputs
    output, tape, *rest = outputs
    ctx.where, ctx.others = where, len(rest) - where.states
    ctx.output, ctx.version = own, None if own is None else own._version
    ctx.save_for_backward(output if own is None else None, tape, *rest[where.states :], *tensors)
    ctx.mark_non_differentiable(tape)
    ctx.set_materialize_grads(False)


def no_view(tensor: Tensor) -> Tensor:
    """The same memory as a tensor that may be written over in a graph."""
    return tensor.new_empty(0).set_(tensor.untyped_storage(), 0, tensor.shape)  # type: ignore[call-overload, no-any-return]


def mapped(function: Any, info: Any, in_dims: Any, *arguments: Any) -> Any:
    """What torch.vmap makes of a function of a `Where` and tensors.

    Each element by itself, one after the other: weights and their gradients may differ from one to the next.
    """

    def element(value: Any, dim: Any, k: int) -> Any:
        if isinstance(value, Where):  # its lengths and resets may be mapped over too
            return Where(*[element(part, d, k) for part, d in zip(value, dim, strict=True)])
        return value if dim is None else value.select(dim, k)

    found = [
        function(*[element(value, dim, k) for value, dim in zip(arguments, in_dims, strict=True)])
        for k in range(info.batch_size)
    ]
    stacked = tuple(None if each[0] is None else torch.stack(each) for each in zip(*found, strict=True))
    return stacked, tuple(None if tensor is None else 0 for tensor in stacked)


class LayerFunction(torch.autograd.Function):
    """The operator and its gradient, on `execution` or on whatever stands in for it."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Any:
        output, *rest = _forward(*inputs)
        if type(output) is Tensor:
            output = no_view(output)
            _keep(ctx, inputs, (output, *rest), output.detach())
        else:  # a compiler's, in whose graph nothing is written over: the copy is none in the end
            _keep(ctx, inputs, (output.clone(), *rest))
        return output, *rest

    @staticmethod
    def backward(ctx: Any, d_output: Tensor | None, _: Any, *given: Tensor | None) -> Any:
        output, tape, *rest = ctx.saved_tensors
        others, tensors = rest[: ctx.others], rest[ctx.others :]
        if ctx.output is not None:
            output = ctx.output
            if output._version != ctx.version:  # the caller has written over it
                with torch.no_grad():
                    output, tape, *rest = _forward(ctx.where, *tensors)
                others = rest[ctx.where.states :]
            if not torch._C._autograd._get_current_graph_task_keep_graph():  # noqa: SLF001
                ctx.output = None  # as of what is saved, memory ends with the graph
        if d_output is None and all(tensor is None for tensor in given):
            return (None,) * (1 + len(tensors))
        needed = ctx.needs_input_grad[1:]
        arriving = (d_output, *given)  # at the output, the final state, the other states of every step
        wanted = Wanted(needed[0], any(needed[1 + ctx.where.states :]))
        found = gradients(ctx.where, wanted, arriving, output, tape, others, tensors)
        return None, *[gradient if need else None for need, gradient in zip(needed, found, strict=True)]


class TransformedFunction(LayerFunction):
    """The same in the form that the transformations of torch.func want, which costs 20 us more."""

    forward = staticmethod(_forward)  # type: ignore[assignment]
    setup_context = staticmethod(_keep)  # type: ignore[assignment]

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> Any:
        return mapped(TransformedFunction.apply, info, in_dims, *arguments)


def gradients(
    where: Where,
    wanted: Wanted,
    arriving: Sequence[Tensor | None],
    output: Tensor,
    tape: Tensor,
    others: Sequence[Tensor],
    tensors: Sequence[Tensor | None],
) -> Sequence[Tensor | None]:
    """Of input, state and weights, `tensors`, in a form that whatever calls for them can go on with."""
    if any([in_a_batch(d) for d in arriving if d is not None]):
        given, weights = tensors[: 1 + where.states], tensors[1 + where.states :]
        own = [*given, *parameters(cell_of(where.cell), weights)]
        return _with_gaps(_by_reference(where, arriving, tensors), own)
    differentiate: Any = Gradients.apply if torch.is_grad_enabled() or transformed() else _gradients
    return differentiate(where, wanted, len(arriving), output, tape, *others, *arriving, *tensors)  # type: ignore[no-any-return]


def _gradients(where: Where, wanted: Wanted, count: int, output: Tensor, tape: Tensor, *rest: Any) -> Any:
    """Of input, state and weights. `count` gradients arrive; `rest` is other states, these gradients, own tensors."""
    others = rest[: count - 1 - where.states]
    d_output, *arriving = rest[len(others) : len(others) + count]
    input, *tensors = rest[len(others) + count :]
    state, weights = tensors[: where.states], tensors[where.states :]
    d_final, d_others = arriving[: where.states], arriving[where.states :]
    known = (where.cell, input, state, weights, where.lengths, where.sizes, where.reset)
    detail = where.told is not None
    saved = (output, tape, others, d_output, d_others, d_final)
    found = where.run.backward(*known, *saved, wanted.input, detail, wanted.weights, where.pairs)
    own = parameters(cell_of(where.cell), weights)
    present = [True] * (1 + len(state)) + [wanted.weights and tensor is not None for tensor in own]
    if where.told is not None:
        where.told(found[sum(present) :])
    values = iter(found)
    return tuple(next(values) if there else None for there in present)


class Gradients(torch.autograd.Function):
    """The gradient of a layer as a function that can be differentiated again, by the reference."""

    forward = staticmethod(_gradients)

    @staticmethod
    def vmap(info: Any, in_dims: Any, where: Where, wanted: Wanted, count: int, *tensors: Any) -> Any:
        def apply(where: Where, *own: Any) -> Any:
            return Gradients.apply(where, wanted, count, *own)  # type: ignore[no-untyped-call]

        return mapped(apply, info, (in_dims[0], *in_dims[3:]), where, *tensors)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, outputs: Any) -> None:  # noqa: ARG004
        where, _, count, _, _, *rest = inputs
        ctx.where, ctx.count, ctx.others = where, count, count - 1 - where.states
        ctx.save_for_backward(*rest[ctx.others :])
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, *given: Tensor | None) -> Any:
        tensors = ctx.saved_tensors

        def gradients(*own: Tensor) -> list[Tensor]:
            values = _with_gaps(own, tensors)
            return _by_reference(ctx.where, values[: ctx.count], values[ctx.count :])

        found, pull = torch.func.vjp(gradients, *_without_gaps(tensors))  # type: ignore[misc]
        own, weights = tensors[ctx.count :][: 1 + ctx.where.states], tensors[ctx.count + 1 + ctx.where.states :]
        like = [*own, *parameters(cell_of(ctx.where.cell), weights)]
        arriving = [d for d, tensor in zip(given, like, strict=True) if tensor is not None]
        second = pull([torch.zeros_like(y) if d is None else d for y, d in zip(found, arriving, strict=True)])
        return (None,) * (5 + ctx.others) + tuple(_with_gaps(second, tensors))


def _without_gaps(tensors: Sequence[Tensor | None]) -> list[Tensor]:
    return [tensor for tensor in tensors if tensor is not None]


def _with_gaps(found: Sequence[Tensor], like: Sequence[Tensor | None]) -> list[Tensor | None]:
    """None where `like` has None."""
    values = iter(found)
    return [None if tensor is None else next(values) for tensor in like]


def _by_reference(where: Where, arriving: Sequence[Tensor | None], tensors: Sequence[Any]) -> list[Tensor]:
    """The gradients of a layer's input, state and those weights that there are."""
    cell, known = cell_of(where.cell), (where.sizes, where.lengths, where.reset)
    given, weights = tensors[: 1 + where.states], tensors[1 + where.states :]
    own = parameters(cell, weights)

    def run(input: Tensor, *rest: Tensor) -> list[Tensor]:
        changed = _with_gaps(rest[where.states :], own)
        every = [mask if tensor is None else tensor for mask, tensor in zip(weights, changed, strict=True)]
        size = len(cell.fields)
        directions = tuple(cell.bundle(every[at : at + size]) for at in range(0, len(every), size))
        record = None if where.told is None else Record()
        output, final = Reference().run(Call(cell, directions, input, rest[: where.states], *known, record=record))
        values = [output, *final]
        if record is not None:
            values += [tensor.permute(1, 2, 0, 3).flatten(2) for tensor in record.values[1:]]
        return [y for y, d in zip(values, arriving, strict=True) if d is not None]

    _, pull = torch.func.vjp(run, *given, *_without_gaps(own))  # type: ignore[misc]
    return list(pull(_without_gaps(arriving)))
