"""What the next update of the weights would do: gradients beside weights, clipping, and the loss one step ahead.

It does not know layers. No parameter is written to: the step is taken by copies.
"""

import copy
import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from elman.errors import UsageError

ACTED_ON = (0.5, 0.1, 0.01)
"""Shares of the steps on which a clipping threshold would act."""

FACTOR, TRIES = 4.0, 6

ALONG = 0.3
"""Adam's first updates go about that much along the slope, or more; its later ones, and momentum's, also up."""

ROUNDING = 1e-4
"""Of the loss: rises by up to 1e-7 of it were rounding in float32, by up to 1e-5 in bfloat16."""


@dataclass(frozen=True)
class Trial:
    """One update on the same batch.

    Attributes:
        rate: the learning rate.
        before: the loss.
        after: the loss after the update.
        promised: by how much the loss would fall if it were as straight as its gradient says; less than nothing where
            an optimizer's moments lead up the slope of this batch.
        steepest: the same of an update of this size straight down the slope.
        better_rate: where the update overshoots, the first of rate/4, rate/16, ... that does not; else None.
    """

    rate: float
    before: float
    after: float
    promised: float
    steepest: float
    better_rate: float | None = None

    @property
    def overshoots(self) -> bool:
        """Whether the loss rises by more than it was promised to fall (beyond twice the stable rate), or by half.

        That is, the curve adds more than twice the fall; one of at least ALONG of the steepest, since moments may lead
        across the slope of one batch and yet down that of all. The half counts where so great a fall is promised that
        no loss could rise by it. A rise within rounding is none.
        """
        most = 2 * max(self.promised, ALONG * self.steepest) - self.promised
        return not self.after - self.before <= max(min(most, abs(self.before) / 2), ROUNDING * abs(self.before))


@dataclass(frozen=True, eq=False)
class Steps:
    """An update as it would be: by parameter the change at the full rate."""

    rate: float
    changes: dict[nn.Parameter, Tensor]


def norms(named: Iterable[tuple[str, Tensor | None]]) -> dict[str, float]:
    """By name of all tensors that there are, and that can hold fractions."""
    there = {name: tensor.detach() for name, tensor in named if tensor is not None and _fractions(tensor)}
    return dict(zip(there, _norms(list(there.values())), strict=True))


def ratios(gradients: dict[str, float], weights: dict[str, float]) -> dict[str, float]:
    """By parameter |gradient| / |weight|, from their norms; not-a-number where the weights are all zero."""
    return {name: norm / weights[name] if weights[name] else math.nan for name, norm in gradients.items()}


def stored(values: Tensor) -> Tensor:
    """Without the zeros that a sparse tensor leaves out, as an embedding's gradient may."""
    return values.coalesce().values() if values.is_sparse else values


def _fractions(tensor: Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


def _norms(tensors: list[Tensor]) -> list[float]:
    """All at once, which is what torch's clipping does; in float64 where float32 has no such squares."""
    tensors = [stored(tensor) for tensor in tensors]
    found = [float(norm) for norm in torch._foreach_norm(tensors)] if tensors else []  # noqa: SLF001
    return [
        float(torch.linalg.vector_norm(tensor, dtype=torch.float64)) if math.isinf(norm) else norm
        for norm, tensor in zip(found, tensors, strict=True)
    ]


def thresholds(norms: Sequence[float]) -> dict[float, float]:
    """For each share of the steps the threshold that would have acted on it, by the norms of steps."""
    finite = sorted(norm for norm in norms if math.isfinite(norm))
    if not finite:
        return {}
    return {share: _quantile(finite, 1 - share) for share in ACTED_ON}


def _quantile(values: Sequence[float], share: float) -> float:
    """Of sorted values, between two of them in proportion."""
    place = share * (len(values) - 1)
    low = values[int(place)]
    return low + (values[min(int(place) + 1, len(values) - 1)] - low) * (place - int(place))


def like_rows(norm: float, rows: Sequence[float]) -> list[float]:
    """What the batch's gradient norm would be if all of its rows were like each one, by the norms of the rows.

    Nothing where these say nothing, as of a layer that no gradient reaches.
    """
    typical = math.sqrt(sum(row * row for row in rows) / max(len(rows), 1))
    return [norm * row / typical for row in rows] if typical else []


def plan(
    parameters: Sequence[nn.Parameter],
    gradients: Sequence[Tensor | None],
    optimizer: torch.optim.Optimizer | None,
    rate: float | None,
    scale: float = 1.0,
) -> Steps:
    """The next update by gradients times `scale`: the optimizer's, or plain descent at `rate`."""
    present = {p: g for p, g in zip(parameters, gradients, strict=True) if g is not None}
    if optimizer is not None:
        return _by_optimizer(optimizer, present if scale == 1.0 else {p: g * scale for p, g in present.items()})
    assert rate is not None
    return Steps(rate, {p: g * (-rate * scale) for p, g in present.items()})


def trial(
    steps: Steps,
    gradients: dict[nn.Parameter, Tensor],
    module: nn.Module,
    before: float,
    loss: Callable[[], float],
    put_back: Callable[[], None],
) -> Trial:
    """Take the update and say what becomes of the loss; where it overshoots, look for a rate that does not.

    Args:
        steps: the update.
        gradients: of the loss.
        module: whose parameters stand in `loss`.
        before: the loss as it is.
        loss: of the same batch.
        put_back: makes the module and all random numbers as they were when the loss was `before`.
    """
    promised = -sum(_along(gradients[p], change) for p, change in steps.changes.items())
    slope, length = [gradients[p] for p in steps.changes], list(steps.changes.values())
    steepest = math.hypot(*_norms(slope)) * math.hypot(*_norms(length))

    def tried(share: float) -> Trial:
        put_back()
        with _moved(module, steps.changes, share):
            return Trial(steps.rate * share, before, loss(), promised * share, steepest * share)

    found = tried(1.0)
    if not found.overshoots:
        return found
    for power in range(1, TRIES + 1):
        smaller = tried(FACTOR**-power)
        if smaller.after <= before or (promised <= 0 and not smaller.overshoots):
            return replace(found, better_rate=smaller.rate)
    return found


def _along(gradient: Tensor, change: Tensor) -> float:
    """How much the loss rises by a change, to the first order."""
    return float((gradient * change).sum() if gradient.is_sparse else gradient.flatten() @ change.flatten())


@contextmanager
def _moved(module: nn.Module, changes: dict[nn.Parameter, Tensor], share: float) -> Iterator[None]:
    """Other parameters in the place of a module's own while a block runs."""
    places = [(each._parameters, name) for each in module.modules() for name in each._parameters]  # noqa: SLF001
    own = [table[name] for table, name in places]
    values = torch._foreach_add([p.detach() for p in changes], list(changes.values()), alpha=share)  # noqa: SLF001
    there = {p: nn.Parameter(value, requires_grad=False) for p, value in zip(changes, values, strict=True)}
    try:
        for table, name in places:
            parameter = table[name]
            if parameter is not None:
                table[name] = there.get(parameter, parameter)
        yield
    finally:
        for (table, name), parameter in zip(places, own, strict=True):
            table[name] = parameter


@cache
def _asks_for_the_loss(step: Callable[..., Any]) -> bool:
    """Whether an optimizer's step needs the loss as a function."""
    closure = inspect.signature(step).parameters.get("closure")
    return closure is not None and closure.default is inspect.Parameter.empty


def _copied(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, Tensor) else copy.deepcopy(value)


def _by_optimizer(optimizer: torch.optim.Optimizer, gradients: dict[nn.Parameter, Tensor]) -> Steps:
    """Let a copy of the optimizer take its step on copies of the parameters."""
    if _asks_for_the_loss(type(optimizer).step):
        raise UsageError(
            f"{type(optimizer).__name__} takes the loss as a function and evaluates it again, so that its next update "
            "cannot be tried beforehand; leave out optimizer="
        )
    copies: dict[nn.Parameter, nn.Parameter] = {}
    groups = []
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            copies[parameter] = nn.Parameter(parameter.detach().clone())
            copies[parameter].grad = gradients.get(parameter)
        groups.append({**group, "params": [copies[parameter] for parameter in group["params"]]})
    moved = [parameter for parameter in copies if parameter in gradients]
    if not moved:
        raise UsageError(
            "the optimizer holds no parameter of this module that the loss reaches, so that it would never learn; give "
            "the one that was made with module.parameters(), after the module was"
        )
    twin = type(optimizer)(groups)  # type: ignore[call-arg]
    for parameter, own in copies.items():
        twin.state[own] = {name: _copied(value) for name, value in optimizer.state.get(parameter, {}).items()}
    twin.step()
    rate = max(float(group["lr"]) for group in optimizer.param_groups)
    changes = [copies[parameter].detach() for parameter in moved]
    torch._foreach_sub_(changes, [parameter.detach() for parameter in moved])
    return Steps(rate, dict(zip(moved, changes, strict=True)))
