"""Ask a layer which backend runs it, and why.

It does not know the backends; the engine answers.
"""

from typing import Any

from torch import nn
from torch.nn.utils.parametrize import type_before_parametrizations

from elman.engine import Explanation
from elman.errors import UsageError
from elman.layers.conversion import TWINS
from elman.layers.stack import Stack
from elman.layers.step import StepLayer


def explain(
    layer: nn.Module, input: Any, hx: Any = None, lengths: Any = None, reset: Any = None, *, program: bool = False
) -> Explanation:
    """Which backend runs a layer for these arguments, and why; runs nothing.

    Args:
        layer: a recurrent layer or cell of Elman's. One of torch.nn is answered too, with what to do about it.
        input: as its `forward` takes it.
        hx: as its `forward` takes it.
        lengths: as its `forward` takes them; a cell takes none.
        reset: as its `forward` takes it; a cell takes none.
        program: whether to show what the native engine made of the cell's step: its equations as they are computed,
            forward and backward, and what is kept in between.

    Returns:
        An Explanation; print it to read it.

    Raises:
        UsageError: if the module is no recurrent layer.

    """
    if isinstance(layer, Stack | StepLayer):
        extras = {"lengths": lengths, "reset": reset}
        given = {name: value for name, value in extras.items() if value is not None}
        return layer.explain(input, hx, program=program, **given)
    kind = type(layer).__name__
    if isinstance(layer, nn.RNNBase | nn.RNNCellBase):
        return Explanation("torch.nn", f"torch runs its own {kind}, without Elman{_remedy(layer)}", {}, {})
    raise UsageError(
        f"{kind} is no recurrent layer. Give explain one of them, such as elman.LSTM; model.modules() lists a model's."
    )


def _remedy(layer: nn.Module) -> str:
    """How a layer of torch.nn's becomes Elman's, to go after a message."""
    own = type_before_parametrizations(layer)
    if own in TWINS:
        return "; elman.convert(model) makes it Elman's"
    base = next((each for each in TWINS if issubclass(own, each)), None)
    return "" if base is None else f"; derive {own.__name__} from elman.{base.__name__} to make it Elman's"
