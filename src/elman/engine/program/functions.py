"""The functions and methods of torch that a step may use, by their names in torch."""

from collections.abc import Callable
from typing import Any

from elman.engine.program.pointwise import POINTWISE
from elman.engine.program.reductions import REDUCTIONS
from elman.engine.program.shapes import SHAPES

FUNCTIONS: dict[str, Callable[..., Any]] = POINTWISE | SHAPES | REDUCTIONS
