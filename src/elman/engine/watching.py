"""What may watch the operations of a call: an export that writes them down, derivatives in forward mode.

It does not know what follows from that for the choice of a backend.
"""

import torch
from torch.autograd import forward_ad


def exported() -> bool:
    """Whether torch.jit.trace or torch.onnx.export writes down what is computed, to run where Elman is not."""
    traced = torch._C._get_tracing_state() is not None  # noqa: SLF001 - torch.jit.is_tracing has no types
    return traced or torch.onnx.is_in_onnx_export()


def forward_mode() -> bool:
    """Whether derivatives are taken in forward mode, by torch.func.jvp, jacfwd or hessian, or by dual numbers."""
    return forward_ad._current_level >= 0  # noqa: SLF001
