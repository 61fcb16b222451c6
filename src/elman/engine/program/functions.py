"""The functions and methods of torch that a step may use, by their names in torch."""

from collections.abc import Callable
from typing import Any

from elman.engine.program.activations import ACTIVATIONS
from elman.engine.program.pointwise import POINTWISE
from elman.engine.program.reductions import REDUCTIONS
from elman.engine.program.shapes import SHAPES
from elman.engine.program.truths import TRUTHS

FUNCTIONS: dict[str, Callable[..., Any]] = POINTWISE | ACTIVATIONS | TRUTHS | SHAPES | REDUCTIONS

OF_INPUTS = {*SHAPES, "contiguous", "clone"}
"""Those that may be given the input itself, which is there as what is multiplied and not as a value."""

OF_TRUTHS = {
    *TRUTHS,
    *SHAPES,
    "add",
    "mul",
    "multiply",
    "div",
    "divide",
    "true_divide",
    "sum",
    "zeros_like",
    "ones_like",
    "detach",
}
"""Those that may be given what comparisons give."""
