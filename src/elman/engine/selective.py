"""Selective state spaces, the recurrence of Mamba: on the CPU in one pass over memory, in the layout of `mamba_ssm`.

It knows tensors and their gradients; the pass itself is the native engine's, or a Python loop.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from elman.engine import watching
from elman.engine.choice import by_steps, forced
from elman.engine.native import selective
from elman.engine.native.backend import refusal
from elman.engine.native.selective import Given, Scan

SHORT = 1 << 18
"""Numbers in the states of one step that torch is faster with, measured; an eighth of them in two, a 27th in three."""


def selective_scan(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None = None,
    z: Tensor | None = None,
    delta_bias: Tensor | None = None,
    delta_softplus: bool = False,
    return_last_state: bool = False,
    *,
    initial: Tensor | None = None,
    reset: Tensor | None = None,
) -> Any:
    """A state space whose steps depend on the input, as Mamba has it: N states for each of D features, over L steps.

        d    = softplus(delta + delta_bias)                 or without softplus
        s_n' = exp(d * A_n) * s_n + d * u * B_n
        y    = (Σ_n C_n * s_n' + D * u) * silu(z)

    The arguments are those of `mamba_ssm.ops.selective_scan_interface.selective_scan_fn`, and two more. Time goes up in
    proportion to L, and so does what is kept for the gradient: what is given, and the states of every sixteenth step
    at most, of which the others are made anew. It computes in float32, or in float64 where u is; y has the dtype of u.
    Arrays whose memory is in the order of time, rows, features are not copied.

    Args:
        u: (batch, D, L).
        delta: (batch, D, L).
        A: real, (D, N).
        B: (batch, N, L), or (batch, G, N, L) where each of G groups of features has its own.
        C: like B, with as many groups.
        D: (D,); zeros if absent.
        z: (batch, D, L); no gate if absent.
        delta_bias: (D,); zeros if absent.
        delta_softplus: whether softplus is taken of delta.
        return_last_state: whether the states after the last step are returned, too.
        initial: the states before the first step, (batch, D, N); zeros if absent.
        reset: bool, (batch, L): True says that the step begins with zeros.

    Returns:
        y, (batch, D, L); or y and the last states, (batch, D, N).

    Raises:
        ValueError: if shapes or dtypes do not fit together.
        ElmanError: if the native backend is forced where it cannot run.

    Source: A. Gu and T. Dao, "Mamba: linear-time sequence modeling with selective state spaces" (2023), algorithm 2.
    """
    if not watching.recorded():  # a tracer warns of looks at sizes
        _check(u, {"delta": delta, "z": z}, A, {"B": B, "C": C}, {"D": D, "delta_bias": delta_bias}, initial, reset)
    B, C = (each.unsqueeze(1) if each.dim() == 3 else each for each in (B, C))
    number = torch.float64 if u.dtype == torch.float64 else torch.float32
    features, groups = u.shape[1], B.shape[1]
    zeros = torch.zeros(features, dtype=number, device=u.device)
    bias, skip = (zeros if each is None else each.to(number) for each in (delta_bias, D))
    first = u.new_zeros(u.shape[0], *A.shape, dtype=number) if initial is None else initial.to(number)
    shown, last = [], []
    for group, (b, c) in enumerate(zip(B.unbind(1), C.unbind(1), strict=True)):
        own = slice(features * group // groups, features * (group + 1) // groups)
        y, states = _run(
            Given(
                _time_first(u[:, own].to(number)),
                _time_first(delta[:, own].to(number)),
                A[own].to(number).T.contiguous(),
                bias[own].contiguous(),
                skip[own].contiguous(),
                torch.cat([b, c], 1).to(number).permute(1, 2, 0).contiguous(),
                first[:, own].permute(2, 0, 1).contiguous(),
            ),
            None if reset is None else reset.T.contiguous(),
            delta_softplus,
        )
        shown.append(y.permute(1, 2, 0))
        last.append(states.permute(1, 2, 0))
    y = shown[0] if len(shown) == 1 else torch.cat(shown, 1)
    y = y if z is None else y * F.silu(z.to(number))
    y = y.to(u.dtype)
    return (y, last[0] if len(last) == 1 else torch.cat(last, 1)) if return_last_state else y


def _time_first(value: Tensor) -> Tensor:
    """(L, batch, D) of (batch, D, L)."""
    return _contiguous(value.permute(2, 0, 1))


def _contiguous(value: Tensor) -> Tensor:
    """The same of (L, batch, D). torch turns a matrix in a sixth of the time of three dimensions where L is 1024."""
    return value.flatten(1).contiguous().view(value.shape) if value.stride(0) == 1 else value.contiguous()


def _check(
    u: Tensor,
    alike: dict[str, Tensor | None],
    a: Tensor,
    columns: dict[str, Tensor],
    vectors: dict[str, Tensor | None],
    initial: Tensor | None,
    reset: Tensor | None,
) -> None:
    if u.dim() != 3:
        raise ValueError(f"u must be (batch, D, L), got {tuple(u.shape)}")
    batch, features, steps = u.shape
    if a.dim() != 2 or a.shape[0] != features or a.shape[1] == 0:
        raise ValueError(f"A must be (D, N) with D = {features} as in u, got {tuple(a.shape)}")
    count, groups = a.shape[1], columns["B"].shape[1] if columns["B"].dim() == 4 else 1
    fit = [(batch, groups, count, steps), *([(batch, count, steps)] if groups == 1 else [])]
    for name, tensor in columns.items():
        if tuple(tensor.shape) not in fit or groups == 0 or features % groups:
            raise ValueError(
                f"{name} must be (batch, N, L) = {(batch, count, steps)}, or (batch, G, N, L) with G groups that "
                f"divide D = {features}, and B and C alike; got {tuple(tensor.shape)}"
            )
    shapes: dict[str, tuple[Tensor | None, tuple[int, ...]]] = {
        **{name: (tensor, (batch, features, steps)) for name, tensor in alike.items()},
        **{name: (tensor, (features,)) for name, tensor in vectors.items()},
        "initial": (initial, (batch, features, count)),
        "reset": (reset, (batch, steps)),
    }
    for name, (other, shape) in shapes.items():
        if other is not None and tuple(other.shape) != shape:
            raise ValueError(f"{name} must be {shape} beside u {tuple(u.shape)}, got {tuple(other.shape)}")
    for name, other in {"u": u, "A": a, "initial": initial, **alike, **columns, **vectors}.items():
        if other is not None and not other.is_floating_point():
            raise ValueError(
                f"{name} must be of real floating-point numbers, got {other.dtype}; convert it, or take "
                "elman.linear_scan, where numbers are complex"
            )
    if reset is not None and reset.dtype != torch.bool:
        raise ValueError(f"reset must be bool, got {reset.dtype}")


def _run(given: Given, reset: Tensor | None, softplus: bool) -> tuple[Tensor, Tensor]:
    """What is shown, (T, B, D), and the last states, (N, B, D)."""
    if by_steps(given.u, refusal([given.u])):
        return _by_steps(given, reset, softplus)
    if torch.compiler.is_compiling():
        shown, last, _ = torch.ops.elman.selective_scan(*given, reset, softplus, _threads())
        return shown, last
    recorded = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in given)
    if forced() is None and _is_short(given, 3 if recorded else 1):
        return _by_steps(given, reset, softplus)
    if recorded or watching.transformed():
        shown, last, _ = _Scan.apply(*given, reset, softplus, _threads())  # type: ignore[no-untyped-call]
        return shown, last
    shown, states = Scan(given, _bytes(reset), softplus=softplus).forward(1)
    return shown, states[-1]


@watching.untraced
def _threads() -> int:
    return torch.get_num_threads()


def _is_short(given: Given, most: int) -> bool:
    """Whether a few operations of torch take less time than jobs to set up; `most` is of how many steps they may."""
    steps = len(given.u)
    return steps <= most and steps**3 * given.initial.numel() <= SHORT


def _bytes(reset: Tensor | None) -> Tensor | None:
    return None if reset is None else reset.view(torch.uint8)


def _by_steps(given: Given, reset: Tensor | None, softplus: bool) -> tuple[Tensor, Tensor]:
    """The same by a Python loop: the definition."""
    delta = given.delta + given.bias
    delta = F.softplus(delta) if softplus else delta
    b, c = given.columns.chunk(2)
    states, shown = given.initial, []
    for t, (u_t, d_t) in enumerate(zip(given.u.unbind(), delta.unbind(), strict=True)):
        if reset is not None:
            states = states.masked_fill(reset[t, None, :, None], 0)
        states = torch.exp(d_t * given.a[:, None]) * states + (d_t * u_t) * b[:, t, :, None]
        shown.append((c[:, t, :, None] * states).sum(0) + given.skip * u_t)
    return torch.stack(shown) if shown else torch.zeros_like(given.u), states


def _forward(*arguments: Any) -> tuple[Tensor, Tensor, Tensor]:
    *tensors, reset, softplus, threads = arguments
    given = Given(*(tensor.detach() for tensor in tensors))
    shown, states = Scan(given, _bytes(reset), softplus=softplus).forward(selective.pieces(given, threads))
    return shown, states[-1].clone(), states


def _backward(*arguments: Any) -> list[Tensor]:
    *tensors, reset, softplus, states, d_shown, d_last = arguments
    given = Given(*(tensor.detach() for tensor in tensors))
    return list(Scan(given, _bytes(reset), softplus=softplus).backward(states, _contiguous(d_shown), d_last))


class _Scan(torch.autograd.Function):
    """The scan and its gradient, which takes the steps once more, piece by piece."""

    @staticmethod
    def forward(*arguments: Any) -> tuple[Tensor, Tensor, Tensor]:
        return _forward(*arguments)

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> Any:
        """One element after the other."""
        found = [
            _Scan.apply(*(a if d is None else a.select(d, k) for a, d in zip(arguments, in_dims, strict=True)))  # type: ignore[no-untyped-call]
            for k in range(info.batch_size)
        ]
        return tuple(torch.stack(each) for each in zip(*found, strict=True)), (0, 0, 0)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        *tensors, reset, softplus, _ = inputs
        ctx.softplus = softplus
        ctx.save_for_backward(*tensors, reset, output[2])
        ctx.mark_non_differentiable(output[2])
        ctx.set_materialize_grads(False)  # zeros for all of the states take longer than to copy what is given

    @staticmethod
    def backward(ctx: Any, *d: Tensor | None) -> Any:
        *tensors, reset, states = ctx.saved_tensors
        d_shown, d_last = _arrived(Given(*tensors), d)
        if torch.is_grad_enabled() or watching.transformed():
            return *_gradients(Given(*tensors), reset, ctx.softplus, d_shown, d_last), None, None, None
        return *_backward(*tensors, reset, ctx.softplus, states, d_shown, d_last), None, None, None


def _arrived(given: Given, d: Sequence[Tensor | None]) -> tuple[Tensor, Tensor]:
    """The gradients of what is shown and of the last states; zeros where none came."""
    d_shown, d_last, _ = d
    return (
        torch.zeros_like(given.u) if d_shown is None else d_shown,
        torch.zeros_like(given.initial) if d_last is None else d_last,
    )


def _gradients(given: Given, reset: Tensor | None, softplus: bool, *d: Tensor) -> tuple[Tensor, ...]:
    """The same through the definition, so that it can be differentiated again."""
    _, pulled = torch.func.vjp(  # type: ignore[misc] # without has_aux it gives two
        lambda *tensors: _by_steps(Given(*tensors), reset, softplus), *given
    )
    found: tuple[Tensor, ...] = pulled(d)
    return found


_operators: Any = torch.library.Library("elman", "FRAGMENT")
_GIVEN = ", ".join(f"Tensor {name}" for name in Given._fields)
_operators.define(f"selective_scan({_GIVEN}, Tensor? reset, bool softplus, int threads) -> (Tensor, Tensor, Tensor)")
_operators.define(
    f"selective_scan_backward({_GIVEN}, Tensor? reset, bool softplus, Tensor states, Tensor d_shown, Tensor d_last)"
    " -> Tensor[]"
)
_operators.impl("selective_scan", _forward, "CPU")
_operators.impl("selective_scan_backward", _backward, "CPU")


def _like(*arguments: Any) -> tuple[Tensor, Tensor, Tensor]:
    given = Given(*arguments[: len(Given._fields)])
    states = given.initial.new_empty(selective.pieces(given, arguments[-1]) + 1, *given.initial.shape)
    return torch.empty_like(given.u), torch.empty_like(given.initial), states


torch.library.register_fake("elman::selective_scan", _like, lib=_operators)
torch.library.register_fake(
    "elman::selective_scan_backward",
    lambda *arguments: [torch.empty_like(tensor) for tensor in arguments[: len(Given._fields)]],
    lib=_operators,
)


def _of_operator(ctx: Any, *d: Tensor | None) -> tuple[Tensor | None, ...]:
    *tensors, reset, states = ctx.saved_tensors
    arrived = _arrived(Given(*tensors), d)
    if torch.is_grad_enabled():
        return *_gradients(Given(*tensors), reset, ctx.softplus, *arrived), None, None, None
    found = torch.ops.elman.selective_scan_backward(*tensors, reset, ctx.softplus, states, *arrived)
    return *found, None, None, None


torch.library.register_autograd(
    "elman::selective_scan", _of_operator, setup_context=_Scan.setup_context, lib=_operators
)
