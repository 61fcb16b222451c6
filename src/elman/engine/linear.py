"""Linear recurrences: h_t = a_t * h_{t-1} + b_t, element by element, in one pass over memory.

It knows tensors and their gradients; the pass itself is the native engine's, or a Python loop.
"""

from typing import Any

import torch
from torch import Tensor

from elman.engine import watching
from elman.engine.choice import by_steps
from elman.engine.native import linear
from elman.engine.native.backend import refusal

_NUMBERS = {torch.float32, torch.float64, torch.complex64, torch.complex128}


def linear_scan(a: Tensor, b: Tensor, initial: Tensor | None = None, reset: Tensor | None = None) -> Tensor:
    """All states of the recurrence h_t = a_t * h_{t-1} + b_t, time first.

    It is differentiable, as often as wanted, and takes time and memory in proportion to T; nothing is approximated, and
    no logarithms are taken, so that a may have any sign and be zero.

    Args:
        a: (T, ...), real or complex.
        b: of the same shape and dtype.
        initial: h before the first step, (...); zeros if absent.
        reset: bool, (T,), (T, B) or more of the leading dimensions of `a`: True says that the step begins with zeros.

    Returns:
        h, (T, ...), of the shape of `a`.

    Raises:
        ValueError: if shapes or dtypes do not fit together.
        ElmanError: if the native backend is forced where it cannot run.

    Source: G. E. Blelloch, "Prefix sums and their applications" (1990), section 1.4, computed in order of time.
    """
    _check(a, b, initial, reset)
    if reset is not None:
        a = a.masked_fill(reset.reshape(reset.shape + (1,) * (a.dim() - reset.dim())), 0)
    if initial is None:
        initial = a.new_zeros(a.shape[1:])
    if by_steps(a, _refusal(a)):
        return _by_steps(a, b, initial)
    if torch.compiler.is_compiling():
        found: Tensor = torch.ops.elman.linear_scan(a, b, initial)
        return found
    return _Scan.apply(a, b, initial)  # type: ignore[no-any-return, no-untyped-call]


def _check(a: Tensor, b: Tensor, initial: Tensor | None, reset: Tensor | None) -> None:
    if a.dim() < 1 or a.shape != b.shape or a.dtype != b.dtype:
        raise ValueError(
            f"a and b must be of one shape (T, ...) and dtype, got {tuple(a.shape)} {a.dtype} and {tuple(b.shape)} "
            f"{b.dtype}; expand or convert one of them"
        )
    if initial is not None and (initial.shape != a.shape[1:] or initial.dtype != a.dtype):
        raise ValueError(
            f"initial must have the shape of one step, {tuple(a.shape[1:])}, and the dtype {a.dtype}, got "
            f"{tuple(initial.shape)} {initial.dtype}"
        )
    if reset is not None and (reset.dtype != torch.bool or reset.shape != a.shape[: reset.dim()] or reset.dim() == 0):
        raise ValueError(
            f"reset must be a bool tensor of the leading dimensions of a, {tuple(a.shape)}, got {reset.dtype} "
            f"{tuple(reset.shape)}"
        )


def _refusal(a: Tensor) -> str | None:
    """Why the native engine cannot run it, as a clause; None if it can."""
    unknown = None if a.dtype in _NUMBERS else f"the native engine does not compute in {a.dtype}"
    return refusal([a]) or unknown


def _by_steps(a: Tensor, b: Tensor, initial: Tensor) -> Tensor:
    """The same by a Python loop: the definition."""
    states, h = [], initial
    for a_t, b_t in zip(a.unbind(), b.unbind(), strict=True):
        h = a_t * h + b_t
        states.append(h)
    return torch.stack(states) if states else torch.zeros_like(b)


def _parts(tensor: Tensor, steps: int) -> list[Tensor]:
    """A tensor as the engine takes it: its real and imaginary parts, or itself, each (steps, N) contiguous."""
    tensor = tensor.detach().resolve_conj()
    if not tensor.is_complex():
        return [tensor.reshape(steps, -1).contiguous()]
    return [part.reshape(steps, -1).contiguous() for part in (tensor.real, tensor.imag)]


def _whole(parts: list[Tensor], shape: torch.Size) -> Tensor:
    return (parts[0] if len(parts) == 1 else torch.complex(*parts)).view(shape)


def _flat(a: Tensor, b: Tensor, initial: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    return [*_parts(a, len(a)), *_parts(b, len(a))], [part.view(-1) for part in _parts(initial, 1)]


def _forward(a: Tensor, b: Tensor, initial: Tensor) -> Tensor:
    return _whole(linear.forward(*_flat(a, b, initial)), a.shape)


def _backward(a: Tensor, b: Tensor, initial: Tensor, h: Tensor, d_h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    coefficients, first = _flat(a, b, initial)
    found, d_first = linear.backward(coefficients, first, _parts(h, len(a)), _parts(d_h, len(a)))
    half = len(found) // 2
    return _whole(found[:half], a.shape), _whole(found[half:], a.shape), _whole(d_first, initial.shape)


class _Scan(torch.autograd.Function):
    """The recurrence and its gradient, which is a recurrence of the same kind read backwards."""

    @staticmethod
    def forward(a: Tensor, b: Tensor, initial: Tensor) -> Tensor:
        return _forward(a, b, initial)

    @staticmethod
    def vmap(info: Any, in_dims: Any, *tensors: Tensor) -> Any:
        """The mapped dimension is one more beside those of a step."""
        sizes = [(t.unsqueeze(-1).expand(*t.shape, info.batch_size) if d is None else t.movedim(d, -1))
                 for t, d in zip(tensors, in_dims, strict=True)]  # fmt: skip
        h = _Scan.apply(*sizes)  # type: ignore[no-untyped-call]
        return h, h.dim() - 1  # torch 2.6 takes no -1

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(*inputs, output)

    @staticmethod
    def backward(ctx: Any, d_h: Tensor) -> Any:
        a, b, initial, h = ctx.saved_tensors
        if torch.is_grad_enabled() or watching.transformed():
            return _gradients(a, initial, h, d_h)
        return _backward(a, b, initial, h, d_h)


def _gradients(a: Tensor, initial: Tensor, h: Tensor, d_h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The same in terms of the recurrence itself, so that it can be differentiated again."""
    decay = a.conj()
    later = torch.cat([decay[1:], torch.zeros_like(decay[:1])])
    d_b = linear_scan(later.flip(0), d_h.flip(0)).flip(0)
    before = torch.cat([initial.unsqueeze(0), h[:-1]])
    return d_b * before.conj(), d_b, decay[0] * d_b[0]


_operators: Any = torch.library.Library("elman", "FRAGMENT")
_operators.define("linear_scan(Tensor a, Tensor b, Tensor initial) -> Tensor")
_operators.define("linear_scan_backward(Tensor a, Tensor b, Tensor initial, Tensor h, Tensor d_h) -> Tensor[]")
_operators.impl("linear_scan", _forward, "CPU")
_operators.impl("linear_scan_backward", lambda *tensors: list(_backward(*tensors)), "CPU")
torch.library.register_fake("elman::linear_scan", lambda a, _b, _initial: torch.empty_like(a), lib=_operators)
torch.library.register_fake(
    "elman::linear_scan_backward",
    lambda a, _b, initial, _h, _d_h: [torch.empty_like(a), torch.empty_like(a), torch.empty_like(initial)],
    lib=_operators,
)
torch.library.register_autograd(
    "elman::linear_scan",
    lambda ctx, d_h: tuple(torch.ops.elman.linear_scan_backward(*ctx.saved_tensors, d_h)),
    setup_context=_Scan.setup_context,
    lib=_operators,
)
