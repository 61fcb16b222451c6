"""What may watch the operations of a call, and cannot see those of the native engine; and what it need not look at."""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor
from torch.autograd import forward_ad

Function = TypeVar("Function", bound=Callable[..., object])


def untraced(function: Function) -> Function:
    """Have torch.compile run a function instead of tracing it, and take the result as it is, for good.

    The mark is what torch.compiler.assume_constant_result sets, without the second that importing torch._dynamo takes.
    """
    setattr(function, "_dynamo_marked_constant", True)  # noqa: B010 - known to torch, not to types
    return function


def recorded() -> bool:
    """Whether torch.jit.trace, or the exporter of torch.onnx that is built on it, writes down what is computed."""
    return torch._C._get_tracing_state() is not None  # noqa: SLF001 - torch.jit.is_tracing has no types


def exported() -> bool:
    """Whether torch.jit.trace or torch.onnx.export writes down what is computed, to run where Elman is not."""
    return recorded() or (torch.compiler.is_compiling() and torch.onnx.is_in_onnx_export())


def transformed() -> bool:
    """Whether a transformation of torch.func, such as vmap or grad, is under way."""
    return torch._C._are_functorch_transforms_active()  # noqa: SLF001


def in_a_batch(gradient: Tensor) -> bool:
    """Whether a gradient stands for many: `is_grads_batched` of torch.autograd.grad, `vectorize` of its jacobian."""
    return torch._C._functorch.is_legacy_batchedtensor(gradient)  # noqa: SLF001


def forward_mode() -> bool:
    """Whether derivatives are taken in forward mode, by torch.func.jvp, jacfwd or hessian, or by dual numbers."""
    return forward_ad._current_level >= 0  # noqa: SLF001


def compiled() -> bool:
    """Whether torch.compile reads a transformation of torch.func, which knows rules for torch's own operators alone."""
    return transformed() and torch.compiler.is_compiling()


def refusal() -> str | None:
    """Why the native engine must leave the call to others, as a clause; None if nothing watches that cannot see it."""
    if forward_mode():
        return "the native engine has no derivatives in forward mode"
    if compiled():
        return "torch.compile cannot transform what the native engine computes"
    return "what is exported has to run without the native engine" if exported() else None
