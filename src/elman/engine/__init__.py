"""A cell over whole sequences: one call in, output and state out, by the fastest backend that can.

This room does not know torch.nn's modules, parameters or argument conventions; the layers translate them.
"""

from elman.engine.base import Backend
from elman.engine.call import Call
from elman.engine.choice import BACKENDS, Explanation, backend, explain, explain_step, prepare, run, step, step_again
from elman.engine.linear import linear_scan
from elman.engine.native import clear_cache
from elman.engine.products import multiplies_bfloat16, precision
from elman.engine.selective import selective_scan
from elman.engine.vendor import side_by_side, torch_knows

__all__ = [
    "BACKENDS",
    "Backend",
    "Call",
    "Explanation",
    "backend",
    "clear_cache",
    "explain",
    "explain_step",
    "linear_scan",
    "multiplies_bfloat16",
    "precision",
    "prepare",
    "run",
    "selective_scan",
    "side_by_side",
    "step",
    "step_again",
    "torch_knows",
]
