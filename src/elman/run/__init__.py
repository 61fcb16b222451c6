"""A trained network on disk: made by `train`, opened by `load`."""

from elman.run.run import Run, load
from elman.run.sitting import train

__all__ = ["Run", "load", "train"]
