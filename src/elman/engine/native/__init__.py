"""The native engine: a cell's programs (`program`) run by the C++ runtime (`cpp`), as torch operators.

From the outside in: `backend` is what the engine chooses, `operator` what autograd and torch.compile see, `execution`
what runs on tensors; `steps` and `loops` take single steps, without gradients and with them; `programs` and `packed`
keep what is made once for many calls, `library` is the C++ runtime.
"""

from elman.engine.native import packed, steps
from elman.engine.native.backend import Native
from elman.engine.native.library import library

__all__ = ["Native", "clear_cache", "library"]


def clear_cache() -> None:
    """Give back the memory that the native engine keeps for later calls: free workspaces and packed weights.

    The engine keeps at most 1 GiB of free memory, and weights in the order in which it multiplies with them for as long
    as the weights themselves live. Nothing is lost: later calls make both anew.
    """
    steps.clear()
    packed.clear()
    made = library()
    if made is not None:
        made.clear_workspace()
