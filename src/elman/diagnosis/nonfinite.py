"""Where the first number that is not finite arose: in the order in which a training step computes.

It says the place in words; what follows from it is for the findings.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from elman.diagnosis.passage import Passage
from elman.diagnosis.update import stored


def given(batch: Iterable[Any]) -> str | None:
    """The first tensor of a batch that holds a number that is not finite."""
    for position, value in enumerate(batch):
        if isinstance(value, Tensor) and not _finite(value):
            where = ", ".join(map(str, (~value.isfinite()).nonzero()[0].tolist()))
            return f"the batch: element [{where}] of argument {position + 1} is {_first(value)}"
    return None


def weights(named: Iterable[tuple[str, nn.Parameter]], norms: Mapping[str, float]) -> str | None:
    """The first parameter, by their norms."""
    for name, parameter in named:
        if _suspect(norms, name) and not _finite(parameter.detach()):
            return f"the weights: {name} holds {_first(parameter.detach())}"
    return None


def inside(found: Sequence[Passage]) -> str | None:
    """The first input or state of a recurrent layer."""
    for passage in found:
        layer = passage.name or type(passage.layer).__name__
        if not _finite(passage.input):
            return f"what {layer} reads: step {_step(passage.input)} holds {_first(passage.input)}"
        for depth in range(passage.depths):
            for name, states in zip(passage.cell.states, passage.states[depth], strict=True):
                if not _finite(states):
                    return f"{layer}: state {name} of layer {depth} at step {_step(states)} is {_first(states)}"
    return None


def backwards(named: Iterable[tuple[str, Tensor | None]], norms: Mapping[str, float]) -> str | None:
    """The first gradient of a parameter, by their norms."""
    for name, gradient in named:
        if gradient is not None and _suspect(norms, name) and not _finite(values := stored(gradient)):
            return f"the gradient of {name}, which holds {_first(values)}, while the loss is finite"
    return None


def _suspect(norms: Mapping[str, float], name: str) -> bool:
    """Whether a norm leaves room for a number that is not finite; what has none, has no such numbers."""
    return not math.isfinite(norms.get(name, 0.0))


def _finite(values: Tensor) -> bool:
    if not (values.is_floating_point() or values.is_complex()):
        return True
    return math.isfinite(abs(values.sum().item())) or bool(
        values.isfinite().all()
    )  # the sum is faster, and may overflow


def _first(values: Tensor) -> str:
    return str(float(values[~values.isfinite()].flatten()[0])).replace("inf", "infinity").replace("nan", "not a number")


def _step(values: Tensor) -> int:
    """The first step of (T, ...) that is not finite."""
    return int((~values.isfinite()).flatten(1).any(1).nonzero()[0])


def number(name: str, value: Tensor) -> str | None:
    """A single number, such as the loss."""
    return None if bool(torch.isfinite(value.detach())) else f"{name}, which is {_first(value.detach().reshape(1))}"
