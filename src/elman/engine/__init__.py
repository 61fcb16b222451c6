"""A cell over whole sequences: one call in, output and state out, by the fastest backend that can.

This room does not know torch.nn's modules, parameters or argument conventions; the layers translate them.
"""

from elman.engine.base import Backend
from elman.engine.call import Call
from elman.engine.choice import BACKENDS, Explanation, backend, explain, run, step

__all__ = ["BACKENDS", "Backend", "Call", "Explanation", "backend", "explain", "run", "step"]
