"""The OpenMP library that torch runs in, whichever that is."""

import ctypes

import torch


def torchs(*names: str) -> ctypes.CDLL | None:
    """The library that has these functions; None if there is none.

    Looked up as torch's own calls were: what all of the process sees comes first, as a library that was preloaded, then
    what torch was linked with. A second library would have threads of its own, which wait for the same cores.
    """
    found = (ctypes.CDLL(place) for place in (None, torch._C.__file__))  # torch's own extension is loaded already
    return next((each for each in found if all(hasattr(each, name) for name in names)), None)
