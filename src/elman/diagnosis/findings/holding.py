"""The remedy that several problems share: gates that hold the state, from the start, for as long as it is needed.

Sources: F. A. Gers, J. Schmidhuber and F. Cummins, "Learning to forget" (2000), for the forget gate's bias; C. Tallec
and Y. Ollivier, "Can recurrent neural networks warp time?" (2018), for its size, and for the input gate's.
"""

import math
from typing import NamedTuple

from elman.cells import CELLS
from elman.diagnosis.result import LayerDiagnosis

SHORT = 8
"""Over fewer steps any gate holds long enough."""


class Remedy(NamedTuple):
    """In words, and by name for programs."""

    words: str
    change: dict[str, object]


def holding(layer: LayerDiagnosis) -> Remedy:
    """For a layer with gates their biases; for one without, a GRU in its place."""
    bias = round(math.log(max(layer.needed_lag, 3)), 1)
    cell = CELLS.get(layer.cell.partition(" ")[0])
    kept = None if cell is None else cell.keep_gate
    if cell is not None and kept == "f" and "i" in cell.gates:
        return Remedy(
            f"start the forget gate's bias at {bias} and the input gate's at {-bias} (the logarithm of the lag), so "
            "that the cell holds its content for about so many steps",
            {"forget_bias": bias, "input_bias": -bias},
        )
    update = (
        f"start the update gate's bias at {bias} (the logarithm of the lag), so that the state is held for about so "
        "many steps"
    )
    if kept == "f":
        return Remedy(f"start the forget gate's bias at {bias} (the logarithm of the lag)", {"forget_bias": bias})
    if kept == "z":
        return Remedy(update, {"update_bias": bias})
    if cell is not None and cell.replace_gate:
        words = f"start the bias of the gate {cell.replace_gate} at {-bias} (minus the logarithm of the lag)"
        return Remedy(f"{words}, so that little of the state is replaced in a step", {"replace_bias": -bias})
    own = {"rnn": "the tanh layer", "rnn-relu": "the ReLU layer"}.get(layer.cell, layer.cell)
    return Remedy(f"take a GRU in place of {own}, and {update}", {"cell": "gru", "update_bias": bias})


def if_needed(layer: LayerDiagnosis) -> Remedy:
    """The same, where there is a lag to hold over."""
    return holding(layer) if layer.needed_lag >= SHORT else Remedy("", {})
