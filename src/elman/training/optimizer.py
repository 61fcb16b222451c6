"""The optimizers by name, and clipping."""

import torch
from torch import Tensor, nn

from elman.training.options import TrainingOptions


def build(module: nn.Module, options: TrainingOptions) -> torch.optim.Optimizer:
    """Return the optimizer that the options name.

    AdamW (Loshchilov & Hutter 2019), RMSprop (Tieleman & Hinton 2012), SGD with momentum. Weight decay acts on
    matrices alone: biases and gains are not shrunk.
    """
    parameters = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": options.weight_decay},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    rate, momentum = float(options.rate or 0.0), float(options.momentum or 0.0)
    match options.optimizer:
        case "rmsprop":
            return torch.optim.RMSprop(groups, rate, alpha=options.smoothing, momentum=momentum, foreach=True)
        case "sgd":
            return torch.optim.SGD(groups, rate, momentum=momentum, foreach=True)
        case _:
            return torch.optim.AdamW(groups, rate, betas=(momentum, options.smoothing), foreach=True)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of all parameters."""
    for group in optimizer.param_groups:
        group["lr"] = rate


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
