"""A layer as a torch operator: what autograd, torch.compile and torch.export see of the native engine.

`elman::layer` and `elman::layer_backward` have implementations on fake tensors, so that a compiler sees one opaque,
differentiable operator. Calls that nothing traces go straight to `execution`: the dispatcher's way there and back takes
30 us.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from elman.cells import Weights
from elman.engine.native import execution
from elman.engine.native.execution import Flat, tape_size
from elman.engine.native.gradient import Layer, TransformedLayer
from elman.engine.native.programs import programs, shapes_of

ARGUMENTS = "str cell, Tensor input, Tensor[] state, Tensor?[] weights, Tensor? lengths, Tensor? sizes, Tensor? reset"
SAVED = "Tensor output, Tensor tape, Tensor? d_output, Tensor?[] d_final, bool wants_input"

_library: Any = torch.library.Library("elman", "DEF")  # type: ignore[no-untyped-call]
_library.define(f"layer({ARGUMENTS}, bool keep=False) -> (Tensor output, Tensor[] final, Tensor tape)")
_library.define(f"layer_backward({ARGUMENTS}, {SAVED}) -> Tensor[]")
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
    if torch._C._are_functorch_transforms_active() and not torch.compiler.is_compiling():  # noqa: SLF001
        function: Any = TransformedLayer
    elif traced(input):
        output, final, _ = torch.ops.elman.layer.default(cell, input, state, weights, lengths, sizes, reset)
        return output, final
    elif differentiated((input, *state, *weights)):
        function = Layer
    else:
        output, final, _ = execution.forward(cell, input, state, weights, lengths, sizes, reset)
        return output, final
    output, _, *final = function.apply(execution, cell, lengths, sizes, reset, len(state), input, *state, *weights)
    return output, final


def traced(input: Tensor) -> bool:
    """Whether a compiler, or a transformation of torch.func, watches the operators that are called."""
    watched = torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active()  # noqa: SLF001
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
) -> tuple[Tensor, list[Tensor], Tensor]:
    if differentiated((input, *state, *weights)):
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
    own = shapes_of(weights[: len(Weights._fields)])
    made = programs(cell, tuple(None if shape is None else tuple(map(int, shape)) for shape in own))
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
