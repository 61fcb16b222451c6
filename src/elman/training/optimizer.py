"""The optimizers by name, weight decay, and clipping.

With large vocabularies an update is a matter of memory: each pass over weights, gradients and moments counts. So Adam
scales the gradients and shrinks the weights in the one pass in which it moves them.
"""

import torch
from torch import Tensor, nn

from elman.training.options import TrainingOptions


def build(module: nn.Module, options: TrainingOptions) -> torch.optim.Optimizer:
    """Return the optimizer that the options name: `step` runs it.

    AdamW (Kingma & Ba 2015; Loshchilov & Hutter 2019), RMSprop (Tieleman & Hinton 2012), SGD with momentum.
    """
    parameters = [p for p in module.parameters() if p.requires_grad]
    matrices, vectors = [p for p in parameters if p.dim() >= 2], [p for p in parameters if p.dim() < 2]
    rate, momentum, decay = (
        float(options.rate or 0.0),
        float(options.momentum or 0.0),
        float(options.weight_decay or 0.0),
    )
    own = "weight_decay" if options.optimizer == "adamw" else "decay"  # the others' would be a part of the gradient
    groups = [{"params": matrices, own: decay}, {"params": vectors, own: 0.0}]
    match options.optimizer:
        case "rmsprop":
            return torch.optim.RMSprop(groups, rate, alpha=options.smoothing, momentum=momentum, foreach=True)
        case "sgd":
            return torch.optim.SGD(groups, rate, momentum=momentum, foreach=True)
        case _:
            return torch.optim.AdamW(groups, rate, betas=(momentum, float(options.smoothing)), fused=True)


@torch.no_grad()
def step(optimizer: torch.optim.Optimizer, rate: float, scale: float = 1.0) -> None:
    """Do one update at the given learning rate, by the gradients times `scale`.

    Matrices shrink by rate * decay, biases do not. The decay stands apart from the gradient, so that no moment sees it
    (Loshchilov & Hutter 2019).
    """
    for group in optimizer.param_groups:
        group["lr"] = rate
    if isinstance(optimizer, torch.optim.AdamW):
        divisor = None if scale == 1 else torch.tensor(1 / scale)
        setattr(optimizer, "grad_scale", divisor)  # noqa: B010 - known to the kernel, not to types
    else:
        _prepare(optimizer, rate, scale)
    optimizer.step()


def _prepare(optimizer: torch.optim.Optimizer, rate: float, scale: float) -> None:
    """Scale the gradients and shrink the weights, for an optimizer that does not."""
    for group in optimizer.param_groups:
        gradients = [p.grad for p in group["params"] if p.grad is not None]
        if scale != 1 and gradients:
            torch._foreach_mul_(gradients, scale)
        if group["decay"]:
            torch._foreach_mul_(group["params"], 1 - rate * group["decay"])


def clip(parameters: list[nn.Parameter], options: TrainingOptions) -> tuple[float, float]:
    """Clip the gradients by value, then find how to clip their global norm (Pascanu et al. 2013).

    Returns:
        The norm before, and what `step` is to multiply the gradients by. A limit of 0 or None does not clip.

    """
    gradients: list[Tensor] = [p.grad for p in parameters if p.grad is not None]
    norm = limited = nn.utils.get_total_norm(gradients, foreach=True).item()
    if options.clip_value:
        nn.utils.clip_grad_value_(parameters, options.clip_value, foreach=True)
        limited = nn.utils.get_total_norm(gradients, foreach=True).item() if options.clip else norm
    return norm, options.clip / limited if options.clip and limited > options.clip else 1.0
