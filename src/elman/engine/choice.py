"""The one place where an implementation is chosen: the fastest backend that can run the call, or the one forced.

It knows the order of preference and nothing of how a backend works.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from elman.cells import Cell, Weights
from elman.engine.asking import Asked, Block
from elman.engine.base import Backend, Ready
from elman.engine.call import Call
from elman.engine.native import Native
from elman.engine.native.operator import traced
from elman.engine.reference import Reference
from elman.engine.vendor import Vendor
from elman.engine.warning import warn_once
from elman.engine.watching import recorded, transformed, untraced
from elman.errors import ElmanError, UsageError
from elman.machine import has_matrix_units
from elman.types import State

NATIVE = Native()

BACKENDS: dict[str, Backend] = {backend.name: backend for backend in (NATIVE, Vendor(), Reference())}
"""The fastest first; the last runs everything."""

TORCH_FIRST = (BACKENDS["torch"], NATIVE, BACKENDS["reference"])

SHORT = {"rnn": 4, "rnn-relu": 4}
"""The most steps that torch's kernels take, with their gradient, in less time than the native engine, by cell."""

FEW = 2**21
"""The multiplications of a call up to which they do: beyond, the native engine's products are worth its beginning."""

FORCED = Asked("elman_backend")


def backend(name: str) -> Block:
    """Force a backend, "native", "torch" or "reference", inside a `with` block.

    It precedes the environment variable ELMAN_BACKEND, which does the same for a whole process. A function that
    torch.compile has compiled is compiled anew where the block stands around it; with fullgraph=True it cannot stand
    inside.

    Raises:
        UsageError: if there is no backend of that name.

    """
    return Block(FORCED, _known(name))


def forced() -> str | None:
    """The name of the backend that is forced here and now, or None."""
    return FORCED.get() or _everywhere()


@untraced
def _everywhere() -> str | None:
    name = os.environ.get("ELMAN_BACKEND")
    return _known(name) if name else None


untraced(has_matrix_units)


def _known(name: str) -> str:
    if name not in BACKENDS:
        raise UsageError(f"unknown backend {name!r}; choose one of {', '.join(BACKENDS)}")
    return name


def run(call: Call) -> tuple[Tensor, State]:
    """Run a call by the backend chosen for it: output and final state, as `Backend.run` returns them.

    Raises:
        ElmanError: if a backend is forced that cannot run the call.
        RuntimeError: if weights are made for an input of another size.

    """
    _check_sizes(call.input, call.weights)
    order, _ = _order_of(call)
    return _choose(lambda candidate: candidate.refuses(call), order).run(call)


def step(cell: Cell, weights: Weights, input: Tensor, state: State) -> State:
    """One time step of one layer: input (B, I), state tensors (B, ·).

    Raises:
        ElmanError: if a backend is forced that cannot take it.
        RuntimeError: if weights are made for an input of another size.

    """
    if not recorded():
        _check_sizes(input, (weights,))
    tensors = [input, *state, *weights.flat()]
    order, _ = _order_of_steps(tensors)
    chosen = _choose(lambda candidate: candidate.refuses_step(cell, weights, tensors), order)
    return chosen.step(cell, weights, input, state)


def _check_sizes(input: Tensor, directions: Sequence[Weights]) -> None:
    """Neither the engine nor torch's LSTM looks at it again, and either would read beyond the weights."""
    for weights in directions:
        if not weights.given and weights.ih.shape[1] != input.shape[-1]:
            raise RuntimeError(
                f"the input has {input.shape[-1]} features, but its weights have the shape {tuple(weights.ih.shape)}; "
                "put weights there that are as wide as the input"
            )


def _order() -> tuple[Sequence[Backend], str]:
    """The backends, the fastest first, and what makes them the fastest.

    Where autocast asks for bfloat16 and the processor has matrix units for it, torch's kernels use them, the native
    engine does not. Not all of torch's go with torch.vmap.
    """
    if torch.is_autocast_enabled("cpu") and has_matrix_units() and not transformed():
        return TORCH_FIRST, "the fastest way in autocast's bfloat16 on this processor"
    return tuple(BACKENDS.values()), "the fastest way that can run this call"


def _order_of(call: Call) -> tuple[Sequence[Backend], str]:
    """The same for a call.

    With their gradient, two to four steps of a small RNN take torch's kernels less time than the native engine, which
    spends a tenth of a millisecond before it begins. A step alone goes a shorter way there.
    """
    most = SHORT.get(call.cell.name, 0)
    if most == 0 or traced(call.input) or call.packed or call.lengths is not None or not 1 < call.steps <= most:
        return _order()
    sizes = [each.ih.numel() + each.hh.numel() for each in call.weights if each.hh is not None]
    if call.steps * call.batch * sum(sizes) <= FEW and call.needs_gradient():
        return TORCH_FIRST, "the fastest way through so few steps with their gradient"
    return _order()


def _order_of_steps(tensors: Sequence[Tensor]) -> tuple[Sequence[Backend], str]:
    """The same for single steps from these tensors.

    A compiler makes more of torch's kernels than of an operator that it cannot look into, if it needs the gradient too.
    """
    watched = recorded() or (traced(tensors[0]) and not transformed())
    if watched and torch.is_grad_enabled() and any([tensor.requires_grad for tensor in tensors]):
        return TORCH_FIRST, "the fastest way to take one step with its gradient in what is compiled"
    return _order()


def step_again(cell: Cell, weights: Weights, input: Tensor, state: State) -> State | None:
    """The same as `step`, if that was called before with these weights and the way is short now; else None."""
    return None if forced() not in {None, NATIVE.name} else NATIVE.step_again(cell, weights, input, state)


def prepare(cell: Cell, weights: Sequence[Weights], batch: int, *, storage: torch.dtype | None = None) -> Ready:
    """Make a stack of layers ready to take steps, as `Backend.prepare` says.

    Raises:
        ElmanError: if a backend is forced that cannot take them.

    """
    tensors = [tensor for each in weights for tensor in each.flat()]
    order, _ = _order()
    chosen = _choose(lambda candidate: candidate.refuses_step(cell, weights[0], tensors), order)
    return chosen.prepare(cell, weights, batch, storage=storage)


def _choose(refusal_of: Callable[[Backend], str | None], order: Sequence[Backend]) -> Backend:
    name = forced()
    if name is not None:
        refusal = refusal_of(BACKENDS[name])
        if refusal is not None:
            raise _refused(name, refusal)
        return BACKENDS[name]
    left: list[str] = []
    for candidate in order:
        refusal = refusal_of(candidate)
        if refusal is None:
            if candidate.slow and left:
                warn_once(
                    f"{', and '.join(left)}; so {candidate.means} runs this call, which is slower. "
                    "elman.explain(layer, input) shows the choice."
                )
            return candidate
        left.append(refusal)
    raise AssertionError("the reference refuses nothing")


def _refused(name: str, refusal: str) -> ElmanError:
    """What is raised where a backend is forced that cannot run a call."""
    return ElmanError(f"the backend '{name}' is forced, but {refusal}; force another one, or none and let Elman choose")


def by_steps(tensor: Tensor, refusal: str | None) -> bool:
    """Whether a Python loop runs a scan of a tensor, the native engine's `refusal` being known.

    Raises:
        ElmanError: if that engine is forced and refuses.

    """
    name = forced()
    if refusal is not None and name == NATIVE.name:
        raise _refused(name, refusal)
    if refusal is not None and name is None:
        warn_once(f"{refusal}; so a Python loop runs this scan, which is slower.")
    return refusal is not None or name not in {None, NATIVE.name} or tensor.numel() == 0


@dataclass(frozen=True, repr=False)
class Explanation:
    """Which backend runs a call, and why; in words when it is printed or shown.

    Attributes:
        backend: its name.
        reason: why this one.
        refusals: for every backend, the fastest first, why it cannot run the call; None if it can.
        sizes: the call in numbers, by the legend of `elman.types`.
        program: what the native engine made of the cell's step, forward and backward, in print; None if it was not
            asked for, or if that engine does not run the call.

    """

    backend: str
    reason: str
    refusals: dict[str, str | None]
    sizes: dict[str, int]
    program: str | None = None

    def __str__(self) -> str:
        width = max(map(len, self.refusals), default=0)
        lines = [f"{name:<{width}}  {refusal or 'can run it'}" for name, refusal in self.refusals.items()]
        if self.sizes:
            lines.append(", ".join(f"{name}={size}" for name, size in self.sizes.items()))
        said = "\n    ".join([f"{self.backend}: {self.reason}", *lines])
        return said if self.program is None else f"{said}\n\n{self.program}"

    __repr__ = __str__


def explain(call: Call, *, program: bool = False) -> Explanation:
    """Which backend `run` takes for this call, and why; runs nothing. `program` asks for the compiled step too."""
    refusals = {name: candidate.refuses(call) for name, candidate in BACKENDS.items()}
    order, why = _order_of(call)
    if order[0] is NATIVE and NATIVE.narrow(call):
        why += ", with products of bfloat16"
    return _explained(call, refusals, order, why, program)


def explain_step(call: Call, *, program: bool = False) -> Explanation:
    """The same for `step`, of a call of one time step."""
    weights = call.weights[0]
    tensors = [call.input, *call.state, *weights.flat()]
    refusals = {name: candidate.refuses_step(call.cell, weights, tensors) for name, candidate in BACKENDS.items()}
    return _explained(call, refusals, *_order_of_steps(tensors), program)


def _explained(
    call: Call, refusals: dict[str, str | None], order: Sequence[Backend], why: str, program: bool
) -> Explanation:
    name = forced()
    if name is None:
        name = next(candidate.name for candidate in order if refusals[candidate.name] is None)
        reason = f"{BACKENDS[name].means}, {why}"
    elif refusals[name] is None:
        reason = f"{BACKENDS[name].means}, forced by ELMAN_BACKEND or elman.backend"
    else:
        reason = f"forced by ELMAN_BACKEND or elman.backend, but the call will fail: {refusals[name]}"
    listed = NATIVE.listing(call.cell, call.weights[0]) if program and name == NATIVE.name else None
    return Explanation(name, reason, refusals, call.sizes(), listed)
