"""The optimizers by name, weight decay, and clipping."""

import torch
from torch import Tensor, nn

from elman.training.options import TrainingOptions


def build(module: nn.Module, options: TrainingOptions) -> torch.optim.Optimizer:
    """Return the optimizer that the options name: `step` runs it.

    Adam (Kingma & Ba 2015; with the decay of `step` it is AdamW), RMSprop (Tieleman & Hinton 2012), SGD with momentum.
    """
    parameters = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.dim() >= 2], "decay": float(options.weight_decay or 0.0)},
        {"params": [p for p in parameters if p.dim() < 2], "decay": 0.0},
    ]
    rate, momentum = float(options.rate or 0.0), float(options.momentum or 0.0)
    match options.optimizer:
        case "rmsprop":
            return torch.optim.RMSprop(groups, rate, alpha=options.smoothing, momentum=momentum, foreach=True)
        case "sgd":
            return torch.optim.SGD(groups, rate, momentum=momentum, foreach=True)
        case _:
            return torch.optim.Adam(groups, rate, betas=(momentum, options.smoothing), fused=True)


@torch.no_grad()
def step(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Do one update at the given learning rate, after the weight decay of matrices; biases are not shrunk.

    The decay stands apart from the gradient, so that no moment sees it (Loshchilov & Hutter 2019).
    """
    for group in optimizer.param_groups:
        group["lr"] = rate
        if group["decay"]:
            for parameter in group["params"]:
                parameter.mul_(1 - rate * group["decay"])
    optimizer.step()


def clip(parameters: list[nn.Parameter], options: TrainingOptions) -> float:
    """Clip the gradients by value, then by their global norm (Pascanu et al. 2013); return the norm before.

    A limit of 0 or None does not clip.
    """
    gradients: list[Tensor] = [p.grad for p in parameters if p.grad is not None]
    norm = nn.utils.get_total_norm(gradients, foreach=True)
    if options.clip_value:
        nn.utils.clip_grad_value_(parameters, options.clip_value, foreach=True)
    if options.clip:
        limited = nn.utils.get_total_norm(gradients, foreach=True) if options.clip_value else norm
        nn.utils.clip_grads_with_norm_(parameters, options.clip, limited, foreach=True)
    return norm.item()
