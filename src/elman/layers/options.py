"""What Elman's layers can do beyond torch.nn's, as keyword arguments of every layer's constructor.

It does not know how a layer is run.
"""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, TypedDict

from elman.cells import Cell
from elman.cells.modified import LayerNorm, RecurrentDropout, Zoneout
from elman.errors import UsageError
from elman.layers.arguments import checked_probability
from elman.layers.initialization import Init, parse
from elman.names import nearest


class OptionArguments(TypedDict, total=False):
    """The keyword arguments, for type checkers; `Options` says what they mean."""

    layer_norm: bool
    recurrent_dropout: float
    zoneout: float | Sequence[float]
    weight_dropout: float
    locked_dropout: float
    residual: bool
    learn_state: bool
    init: str


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of a stack of layers. All of them are exact in evaluation mode, and none leaves the native engine.

    Attributes:
        layer_norm: what enters the gates is normalised over the features, and in an LSTM the memory where the output
            sees it (`elman.cells.modified.LayerNorm`).
        recurrent_dropout: the probability with which a feature of the previous output is dropped on its way into the
            gates, the same features at all steps of a sequence (`RecurrentDropout`).
        zoneout: the probability with which a unit keeps its old value for a step; one for all states, or one for each
            in the cell's order, such as (0.05, 0.5) for h and c of an LSTM (`Zoneout`).
        weight_dropout: the probability with which a recurrent weight is dropped for a call; the parameter itself stays
            whole, and receives the gradient. Source: S. Merity et al., "Regularizing and optimizing LSTM language
            models" (2018).
        locked_dropout: like `dropout`, but the same features of a row are zeroed at all steps.
        residual: every layer after the first adds its input to its output, so they must have the same size. Source:
            Y. Wu et al., "Google's neural machine translation system" (2016), section 3.1.
        learn_state: the state that a sequence begins with, if none is given, is learnt, starting from zeros: the
            parameters initial_h_l0, and so on. A reset begins with zeros.
        init: how weights begin: torch, keras, orthogonal, identity, forget-bias or chrono:STEPS
            (`elman.layers.initialization`).
    """

    layer_norm: bool = False
    recurrent_dropout: float = 0.0
    zoneout: float | tuple[float, ...] = 0.0
    weight_dropout: float = 0.0
    locked_dropout: float = 0.0
    residual: bool = False
    learn_state: bool = False
    init: str = "torch"

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            UsageError: if one makes no sense.

        """
        for name in ("layer_norm", "residual", "learn_state"):
            if not isinstance(getattr(self, name), bool):
                raise UsageError(f"{name}={getattr(self, name)!r} is neither True nor False; give one of them")
        for name in ("recurrent_dropout", "zoneout", "weight_dropout", "locked_dropout"):
            object.__setattr__(self, name, _rates(name, getattr(self, name)))
        parse(self.init)

    def check_layers(self, count: int) -> None:
        """Raise UsageError if an option acts between layers and there is but one."""
        for name in ("locked_dropout", "residual"):
            if getattr(self, name) and count == 1:
                raise UsageError(
                    f"{name} acts between layers, but there is one only; leave it out, or give more layers"
                )

    @property
    def start(self) -> Init:
        """How weights begin."""
        return parse(self.init)

    def modified(self, cell: Cell, *, training: bool) -> Cell:
        """The cell as it is run with these options.

        Raises:
            UsageError: if the cell has nothing that an option acts on.

        """
        if self.layer_norm:
            cell = LayerNorm(cell)
        if (self.recurrent_dropout or self.weight_dropout) and not cell.recurrent_gates:
            name = "recurrent_dropout" if self.recurrent_dropout else "weight_dropout"
            raise UsageError(f"{cell.name} has no recurrent matmul, which {name} acts on; leave it out")
        if self.recurrent_dropout and training:
            cell = RecurrentDropout(cell, self.recurrent_dropout)
        rates = self._zoneout_rates(cell)
        return Zoneout(cell, rates, training) if any(rates) else cell

    def _zoneout_rates(self, cell: Cell) -> tuple[float, ...]:
        if not isinstance(self.zoneout, tuple):
            return (float(self.zoneout),) * len(cell.states)
        if len(self.zoneout) != len(cell.states):
            states = ", ".join(cell.states)
            raise UsageError(
                f"zoneout has {len(self.zoneout)} probabilities, but {cell.name} has {len(cell.states)} states "
                f"({states}); give one number for all, or one for each"
            )
        return self.zoneout

    def said(self) -> list[str]:
        """What is not as usual, as `name=value`, for a layer's repr."""
        values: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        return [f"{name}={value!r}" for name, value in values.items() if value != getattr(USUAL, name)]


def _rates(name: str, given: Any) -> float | tuple[float, ...]:
    """A probability below 1, or one for each state."""
    if name == "zoneout" and isinstance(given, Sequence) and not isinstance(given, str):
        return tuple(checked_probability(name, rate, below_one=True) for rate in given)
    return checked_probability(name, given, below_one=True)


USUAL = Options()


def options_of(layer: object, given: OptionArguments) -> Options:
    """The options that a layer's constructor was given.

    Raises:
        TypeError: if there is no such option, with torch.nn's text and the nearest name.
        UsageError: if one makes no sense.

    """
    owner = type(layer)
    known = [*inspect.signature(owner.__init__).parameters, *OptionArguments.__annotations__]
    for name in given:
        if name not in OptionArguments.__annotations__:
            hint = nearest(name, known)
            raise TypeError(f"{owner.__name__}.__init__() got an unexpected keyword argument {name!r}{hint}")
    return Options(**given)  # type: ignore[arg-type]
