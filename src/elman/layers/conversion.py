"""Give a model Elman's layers, or torch.nn's again: every recurrent module in it is replaced by its twin.

It does not know what the twins compute, only that they take the same attributes.
"""

from collections.abc import Callable
from functools import partial
from typing import Literal

import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized, type_before_parametrizations

from elman.cells import CELLS
from elman.engine.warning import warn
from elman.errors import FallbackWarning, UsageError
from elman.layers.gru import GRU, GRUCell
from elman.layers.lstm import LSTM, LSTMCell
from elman.layers.recurrent import Recurrent
from elman.layers.rnn import RNN, RNNCell
from elman.layers.stack import Stack

TWINS: dict[type[nn.Module], type[nn.Module]] = {
    nn.RNN: RNN,
    nn.GRU: GRU,
    nn.LSTM: LSTM,
    nn.RNNCell: RNNCell,
    nn.GRUCell: GRUCell,
    nn.LSTMCell: LSTMCell,
}
_TORCHS = {twin: kind for kind, twin in TWINS.items()}
_STACKS: dict[str, Callable[..., nn.RNNBase]] = {
    "rnn": nn.RNN,
    "rnn-relu": partial(nn.RNN, nonlinearity="relu"),
    "gru": nn.GRU,
    "lstm": nn.LSTM,
}
"""torch.nn's layers by the cell that they have."""


def convert(module: nn.Module, *, to: Literal["elman", "torch"] = "elman") -> nn.Module:
    """Replace torch.nn's RNN, GRU, LSTM and their cells by Elman's, in place; or Elman's by torch.nn's.

    The twins hold the very same Parameter objects, hooks, parametrizations and training flag, under the same names; so
    an optimizer made before goes on working, and state_dict does not change. A module that stands in two places is
    replaced by one twin. Subclasses that users wrote are left alone, with a FallbackWarning: a twin has neither their
    methods nor their class, which the rest of the module may ask for. So are layers that torch.jit
    compiled or torch has quantized.

    Args:
        module: any module, or a recurrent layer itself.
        to: whose layers it shall have. On the way to torch.nn a `Recurrent` of a cell that torch.nn has goes, too.

    Returns:
        The module; if it is itself a recurrent layer, its twin.

    Raises:
        UsageError: if a layer of Elman's does what torch.nn has no layer for; nothing is replaced then.

    """
    if to not in ("elman", "torch"):
        raise UsageError(f"to={to!r} is neither 'elman' nor 'torch'; say whose layers the module shall have")
    kinds: list[type[nn.Module]] = [*TWINS] if to == "elman" else [*_TORCHS, Recurrent]
    make = twin_of if to == "elman" else _torch_twin
    every = [
        (path, child, type_before_parametrizations(child))
        for path, child in module.named_modules(remove_duplicate=False)
    ]
    places = [(path, child) for path, child, kind in every if kind in kinds]
    twins = {child: make(child) for child in dict.fromkeys(child for _, child in places)}
    _warn_of([kind for _, _, kind in every if kind not in kinds], kinds)
    if to == "elman":
        _warn_of_made([child for _, child, _ in every])
    for path, child in places:
        if path == "":
            return twins[child]
        module.set_submodule(path, twins[child])
    return module


def _warn_of(others: list[type[nn.Module]], kinds: list[type[nn.Module]]) -> None:
    """Say which of the other classes derive from these kinds, so that their modules stay, and what would help."""
    old, new = ("torch.nn", "elman") if kinds[0] in TWINS else ("elman", "torch.nn")
    for own in dict.fromkeys(each for each in others if issubclass(each, tuple(kinds))):
        name = next(kind for kind in kinds if issubclass(own, kind)).__name__
        warn(
            f"convert leaves layers of {own.__module__}.{own.__qualname__} alone, a subclass of {old}.{name} whose "
            f"methods a twin would lack; derive that class from {new}.{name} instead",
            FallbackWarning,
        )


def _warn_of_made(modules: list[nn.Module]) -> None:
    """Say which layers torch has made something else of, whose weights a twin could not hold."""
    made = {
        "compiled by torch.jit": {each.original_name for each in modules if isinstance(each, torch.jit.ScriptModule)},
        "quantized": {type(each).__name__ for each in modules if type(each).__module__.startswith("torch.ao.")},
    }
    for how, names in made.items():
        if found := sorted(names & {kind.__name__ for kind in TWINS}):
            warn(
                f"convert leaves alone layers that are {how} ({', '.join(found)}); convert the model before that",
                FallbackWarning,
            )


def torch_kind(module: nn.Module) -> type[nn.Module] | None:
    """Which of torch.nn's recurrent classes a module computes as, itself or inheriting its `forward`; None if none."""
    return next((each for each in TWINS if isinstance(module, each) and type(module).forward is each.forward), None)


def twin_of(module: nn.Module) -> nn.Module:
    """A module of Elman's class that shares everything with this one, which has a `torch_kind`."""
    torchs = torch_kind(module)
    assert torchs is not None
    kind = TWINS[torchs]
    if is_parametrized(module):
        kind = _parametrized(kind, type(module))
    twin = kind.__new__(kind)
    share(module, twin)
    return twin


def share(module: nn.Module, twin: nn.Module) -> None:
    """Give a twin all that its module holds now."""
    # torch's own list of the weights stays behind: SequenceLayer reads them from the named attributes.
    twin.__dict__.update({name: value for name, value in vars(module).items() if name != "_flat_weights"})


def _torch_twin(layer: nn.Module) -> nn.Module:
    """A module of torch.nn's class that shares everything with a layer of Elman's; UsageError if there is none."""
    if isinstance(layer, Stack):
        twin = _torch_stack(layer)
        twin.__dict__.update({name: value for name, value in vars(layer).items() if name in vars(twin)})
        twin._init_flat_weights()  # noqa: SLF001 - torch's own list of the weights
        return twin
    kind = _TORCHS[type_before_parametrizations(layer)]
    if is_parametrized(layer):
        kind = _parametrized(kind, type(layer))
    cell = kind.__new__(kind)
    cell.__dict__.update(vars(layer))
    return cell


def _torch_stack(layer: Stack) -> nn.RNNBase:
    """A layer of torch.nn's that computes the same, without numbers in its weights."""
    cell = layer.plain_cell
    lacking = [each for each in layer.options.said() if not each.startswith("init=")]
    if len(set(layer.hidden_sizes)) > 1:
        lacking.append(f"hidden_size={layer.hidden_sizes}")
    if is_parametrized(layer):
        lacking.append("parametrized weights, which torch.nn's layers read once and never again")
    if cell.name not in _STACKS or CELLS[cell.name] != cell:
        lacking.append(f"the cell {cell.name!r}")
    if lacking:
        raise UsageError(
            f"a layer {type(layer).__name__} has {', '.join(lacking)}, for which torch.nn has no layer; leave it "
            "Elman's, or export the model (torch.export)"
        )
    sizes = layer.input_size, layer.hidden_sizes[0], layer.num_layers
    projection = {"proj_size": layer.proj_size} if layer.proj_size else {}
    flags = {"bias": layer.bias, "batch_first": layer.batch_first, "bidirectional": layer.bidirectional}
    return _STACKS[cell.name](*sizes, **flags, **projection, device="meta")


def _parametrized(kind: type[nn.Module], like: type[nn.Module]) -> type[nn.Module]:
    """`kind` with the properties that torch.nn.utils.parametrize gave to the class `like`."""
    own = {name: value for name, value in vars(like).items() if name not in {"__dict__", "__weakref__"}}
    return type(like.__name__, (kind,), own)
