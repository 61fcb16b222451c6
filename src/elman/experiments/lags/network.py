"""A cell of any kind in a network for a problem: as wide as the parameters allow, begun as its paper would have it.

Inputs are first mapped to features, as cells are used. Without that map, cells with no recurrent matrix would need
thousands of units for as many parameters, and the table would compare widths.
"""

from bisect import bisect_left

from torch import nn

from elman.cells import CELLS, Cell
from elman.experiments.lags.problem import Problem
from elman.experiments.learning import LastStep
from elman.layers import build

PARAMETERS, FEATURES = 16_700, 32

INITS = {"rnn": "orthogonal", "rnn-relu": "identity"}
"""How cells without gates begin; those with a gate that keeps or replaces the past begin by chrono."""

RATES = {"rnn": 0.0003, "rnn-relu": 0.0003, "indrnn": 0.001}
"""Of Adam, found by short trials over 100 steps; these cells overflow at the rate of the others."""
USUAL_RATE = 0.01


def init_of(cell: Cell, length: int) -> str:
    """The layer's `init=` for that many steps."""
    if cell.keep_gate or cell.replace_gate:
        return f"chrono:{length}"
    return INITS.get(cell.name, "torch")


def start_of(cell: Cell, length: int) -> str:
    """The same for people: a cell that sets initial values of its own says so."""
    init = init_of(cell, length)
    own = type(cell).initialize is not Cell.initialize
    return "own" if own and init == "torch" else init


def rate_of(cell: Cell) -> float:
    """The rate of learning."""
    return RATES.get(cell.name, USUAL_RATE)


def parameter_count(cell: Cell, problem: Problem, hidden: int) -> int:
    """The parameters of the whole network: map of the inputs, recurrent layer, read-out."""
    ends = FEATURES * (problem.inputs + 1) + problem.outputs * (hidden + 1)
    return ends + cell.parameter_count(FEATURES, hidden)


def hidden_size(cell: Cell, problem: Problem) -> int:
    """The H whose parameters are nearest to PARAMETERS."""
    above = bisect_left(range(PARAMETERS), PARAMETERS, lo=2, key=lambda hidden: parameter_count(cell, problem, hidden))
    return min(above - 1, above, key=lambda hidden: abs(parameter_count(cell, problem, hidden) - PARAMETERS))


def network(name: str, problem: Problem, length: int) -> nn.Module:
    """The network for inputs (T, B, I), at its start."""
    cell = CELLS[name]
    layer = build(name, FEATURES, hidden_size(cell, problem), init=init_of(cell, length))
    return nn.Sequential(nn.Linear(problem.inputs, FEATURES), nn.ReLU(), LastStep(layer, problem.outputs))
