"""Elman: recurrent networks for the computer you have.

Everything public is named here and imported when it is first used, so that `import elman` costs next to nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from elman.cells import Cell
    from elman.diagnosis.examine import diagnose
    from elman.diagnosis.result import Diagnosis
    from elman.engine import backend, clear_cache, linear_scan, precision, selective_scan
    from elman.errors import DataError, ElmanError, FallbackWarning, NonFiniteError, RunError, UsageError
    from elman.layers import (
        GRU,
        LSTM,
        RNN,
        Dropout,
        GRUCell,
        LockedDropout,
        LSTMCell,
        Recurrent,
        RNNCell,
        convert,
        explain,
        from_keras,
        scan,
        to_keras,
    )
    from elman.run.run import Run, load
    from elman.run.sitting import train
    from elman.training.memory import kept_pages
    from elman.training.waiting import Waiting

_HOME = {
    "elman.cells": ("Cell",),
    "elman.diagnosis.examine": ("diagnose",),
    "elman.diagnosis.result": ("Diagnosis",),
    "elman.engine": ("backend", "clear_cache", "linear_scan", "precision", "selective_scan"),
    "elman.errors": ("DataError", "ElmanError", "FallbackWarning", "NonFiniteError", "RunError", "UsageError"),
    "elman.layers": (
        *("GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNCell", "Recurrent"),
        *("Dropout", "LockedDropout", "convert", "explain", "from_keras", "scan", "to_keras"),
    ),
    "elman.run.run": ("Run", "load"),
    "elman.run.sitting": ("train",),
    "elman.training.memory": ("kept_pages",),
    "elman.training.waiting": ("Waiting",),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Cell",
    "DataError",
    "Diagnosis",
    "Dropout",
    "ElmanError",
    "FallbackWarning",
    "GRUCell",
    "LSTMCell",
    "LockedDropout",
    "NonFiniteError",
    "RNNCell",
    "Recurrent",
    "Run",
    "RunError",
    "UsageError",
    "Waiting",
    "backend",
    "clear_cache",
    "convert",
    "diagnose",
    "explain",
    "from_keras",
    "kept_pages",
    "linear_scan",
    "load",
    "precision",
    "scan",
    "selective_scan",
    "to_keras",
    "train",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name == "__version__":
        from elman.version import VERSION

        return VERSION
    if name not in _MODULE:
        raise AttributeError(f"module 'elman' has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted([*__all__, "__version__"])
