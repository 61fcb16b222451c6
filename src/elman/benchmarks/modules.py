"""The work of modules with torch.nn's call: forward, a training step, a time step.

It does not know whose module it is; Elman's and torch's do the same here.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from elman.benchmarks.base import Work

Call = Callable[[Tensor], Tensor]
"""From the input (T, B, I) to the output (T, B, D*H)."""


def forward(call: Call, x: Tensor) -> Work:
    """Forward alone; run it without grad."""
    return Work(lambda: call(x), lambda output: {"the output": output})


def training(layer: nn.Module, call: Call, x: Tensor) -> Work:
    """Forward, the sum of the output as the loss, backward to the weights and the input."""
    x = x.clone().requires_grad_()

    def run() -> Tensor:
        layer.zero_grad(set_to_none=True)
        x.grad = None
        output = call(x)
        output.sum().backward()
        return output

    def read(output: Tensor) -> dict[str, Tensor]:
        leaves = {"the input": x, **dict(layer.named_parameters())}
        gradients = {f"the gradient of {name}": leaf.grad for name, leaf in leaves.items() if leaf.grad is not None}
        return {"the output": output.detach()} | gradients

    return Work(run, read)


def step(cell: nn.Module, x: Tensor) -> Work:
    """One time step, from the state that the one before left; run it without grad."""
    state: Any = None

    def run() -> Any:
        nonlocal state
        state = cell(x, state)
        return state

    return Work(run, lambda found: {"h": found[0] if isinstance(found, tuple) else found})
