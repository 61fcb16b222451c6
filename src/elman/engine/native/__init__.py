"""The native engine: a cell's programs (`program`) run by the C++ runtime (`cpp`), as torch operators.

From the outside in: `backend` is what the engine chooses, `operator` what autograd and torch.compile see, `execution`
what runs on tensors; `programs` and `packed` keep what is made once for many calls, `library` is the C++ runtime.
"""

from elman.engine.native.backend import Native
from elman.engine.native.library import clear_cache, library

__all__ = ["Native", "clear_cache", "library"]
